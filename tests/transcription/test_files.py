"""What a user names becomes audio files, each once, under names that stay in the output folder and apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spt_whisper.errors import InputError
from spt_whisper.transcription.files import find_audio


@pytest.fixture
def talks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as people have them, and the current folder above it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "talks"
    for name in (
        "b.wav",
        "a.MP4",
        "notes.txt",
        ".hidden.wav",
        ".git/c.wav",
        "ñandú/你好 1.ogg",
        "ñandú/deep/b.wav",
        "empty/x.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


IN_TALKS = ["a.MP4", "b.wav", "ñandú/deep/b.wav", "ñandú/你好 1.ogg"]


def names(*given: str) -> list[str]:
    return [file.name for file in find_audio(given)]


def test_a_folder_gives_its_audio_sorted_and_keeps_its_structure(talks: Path) -> None:
    assert names("talks") == names("./talks/") == names(str(talks)) == IN_TALKS
    assert [file.path for file in find_audio(["talks"])] == [Path("talks") / n for n in IN_TALKS]


def test_a_file_is_tried_whatever_its_ending(talks: Path) -> None:
    assert names("talks/notes.txt", "talks/.hidden.wav") == ["notes.txt", ".hidden.wav"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("talks/*.wav", ["b.wav"]),
        ("talks/*", ["a.MP4", "b.wav", "deep/b.wav", "你好 1.ogg"]),  # two files and two folders
        ("talks/**/*.wav", ["b.wav", "ñandú/deep/b.wav"]),
        ("t?lks/[ab].*", ["a.MP4", "b.wav"]),
        ("talks/ñandú/../*.wav", ["b.wav"]),
    ],
)
def test_a_glob_gives_what_the_shell_would(pattern: str, expected: list[str], talks: Path) -> None:
    assert names(pattern) == names(str(talks.parent / pattern)) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("talks/.*.wav", [".hidden.wav"]),
        ("talks/.[h]idden.wav", [".hidden.wav"]),
        ("talks/.g*/*.wav", ["c.wav"]),
        ("talks/.g*/.*.wav", [".d.wav"]),
        ("talks/.git/*.wav", ["c.wav"]),
        ("talks/**/.*.wav", [".hidden.wav"]),  # .git is hidden
        ("talks/**/.git/*.wav", ["c.wav"]),
        ("**/.g*/**/.*.wav", [".d.wav"]),
    ],
)
def test_a_glob_gives_hidden_files_where_it_names_their_dot(
    pattern: str, expected: list[str], talks: Path
) -> None:
    (talks / ".git" / ".d.wav").touch()
    assert names(pattern) == names(str(talks.parent / pattern)) == expected


def test_a_name_with_the_signs_of_a_glob_is_itself_first(talks: Path) -> None:
    (talks / "[b].wav").touch()
    (talks / "*.wav").touch()
    assert names("talks/[b].wav") == ["[b].wav"]
    assert names("talks/*.wav") == ["*.wav"]


def test_each_file_is_there_once_in_the_order_given(talks: Path) -> None:
    (talks / "link.wav").symlink_to("b.wav")
    given = ("talks/b.wav", "talks", "./talks/../talks/b.wav", "talks/*.wav")
    assert names(*given) == ["b.wav", "a.MP4", "ñandú/deep/b.wav", "ñandú/你好 1.ogg"]


def test_links_in_a_circle_end(talks: Path) -> None:
    (talks / "ñandú" / "up").symlink_to(talks)
    (talks / "ñandú" / "self").symlink_to(talks / "ñandú")
    (talks / "loop.wav").symlink_to("loop.wav")
    assert names("talks") == IN_TALKS
    assert names("talks/**/b.wav") == ["b.wav", "ñandú/deep/b.wav"]
    with pytest.raises(InputError, match=r"loop\.wav: no such file"):
        find_audio(["talks/loop.wav"])


def test_a_linked_folder_is_followed(talks: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "z.flac").touch()
    (talks / "more").symlink_to(tmp_path / "disk")
    assert "more/z.flac" in names("talks")


def test_files_of_one_name_are_told_apart_by_their_folders(talks: Path) -> None:
    assert names("talks/b.wav", "talks/ñandú/deep/b.wav") == ["b.wav", "ñandú/deep/b.wav"]
    other = talks.parent / "other" / "b.wav"
    other.parent.mkdir()
    other.touch()
    found = names("talks", "../" + talks.parent.name + "/other/b.wav")
    assert found == [*(f"talks/{name}" for name in IN_TALKS), "other/b.wav"]
    assert len(set(found)) == len(found)


def test_no_name_leads_out_of_the_output_folder(
    talks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(talks / "ñandú" / "deep")
    for given in (["../../b.wav"], ["../.."], ["../../b.wav", "b.wav"], ["../../*.wav", "."]):
        for name in names(*given):
            assert not Path(name).is_absolute()
            assert ".." not in Path(name).parts


def test_names_of_any_letters_and_line_ends(talks: Path) -> None:
    odd = ["line\nend.wav", " space .wav", "-o.wav", "e\u0301.wav", "\u00e9.wav"]
    for name in odd:
        (talks / "odd").mkdir(exist_ok=True)
        (talks / "odd" / name).touch()
    assert sorted(names("talks/odd")) == sorted(odd)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere.wav", r"nowhere\.wav: no such file or folder"),
        ("nowhere/", "nowhere/: no such file or folder"),
        ("", "'': no such file or folder"),
        ("talks/empty", "talks/empty: no audio or video file in it"),
        ("talks/*.flac", r"talks/\*\.flac: no audio or video file in it"),
        ("talks/notes*", r"talks/notes\*: no audio or video file in it"),
        ("line\nend.wav", r"^line end\.wav: no such file"),
    ],
)
def test_what_is_not_there_is_one_line(given: str, message: str, talks: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        find_audio(["talks/b.wav", given])
    assert "\n" not in str(caught.value)


def test_a_pipe_is_one_line_and_is_not_waited_for(talks: Path) -> None:
    os.mkfifo("talks/pipe.wav")
    with pytest.raises(InputError, match=r"^talks/pipe\.wav: is a pipe or a device; write"):
        find_audio(["talks/pipe.wav"])
    assert "pipe.wav" not in names("talks")
