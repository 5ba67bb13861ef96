"""Text to speech by espeak-ng, through ctypes and the library that `espeakng-loader` ships."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Numbers of espeak-ng's public header, speak_lib.h.
_RETRIEVAL = 1
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_CHARACTER_POSITION = 1
_SEED = 1  # espeak-ng seeds its jitter with the clock unless told otherwise

VOICES = (
    *("eo+m1", "eo+m2", "eo+m3", "eo+m4", "eo+m5", "eo+m6", "eo+m7"),
    *("eo+f1", "eo+f2", "eo+f3", "eo+f4", "eo+linda"),
)
"""The Esperanto voice in twelve variants: seven male, five female."""

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class SpeechError(RuntimeError):
    """espeak-ng refused a call or a voice."""


@dataclass(frozen=True)
class Manner:
    """How one utterance is spoken."""

    voice: str
    rate: int  # words a minute
    pitch: int  # espeak's scale, 0 to 100, 50 is the voice's own
    pitch_range: int  # 0 is monotone, 50 is the voice's own


class Espeak:
    """espeak-ng from loading to unloading; only one may be open in a process at a time."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise SpeechError(
                f"espeak-ng is missing ({error}); install the package espeakng-loader"
            ) from error
        self._data = espeakng_loader.get_data_path()
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._chunks: list[np.ndarray] = []
        self._callback = _Callback(self._receive)
        self._rate = self._open()

    def __enter__(self) -> Espeak:
        """Returns itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Ends espeak-ng and unloads the library, which forgets its inner state only then."""
        self._library.espeak_Terminate()
        import _ctypes  # ctypes itself has no way to unload

        unload = "FreeLibrary" if os.name == "nt" else "dlclose"
        getattr(_ctypes, unload)(self._library._handle)

    @property
    def version(self) -> str:
        """The version of the espeak-ng library."""
        return self._library.espeak_Info(None).decode().split()[0]

    def say(self, text: str, manner: Manner) -> tuple[np.ndarray, int]:
        """Returns mono samples (int16) and their rate in hertz.

        Raises:
            SpeechError: a call failed, the voice is not there, or no sound came back.
        """
        self._choose(manner)
        self._chunks = []
        encoded = text.encode() + b"\0"
        size, zero, flags = (ctypes.c_size_t(len(encoded)), ctypes.c_uint(0), ctypes.c_uint(_UTF8))
        code = self._library.espeak_Synth(
            ctypes.c_char_p(encoded), size, zero, _CHARACTER_POSITION, zero, flags, None, None
        )
        self._check(code, f"espeak_Synth({text!r})")
        self._check(self._library.espeak_Synchronize(), "espeak_Synchronize")
        if not self._chunks:
            raise SpeechError(f"espeak-ng gave no sound for {text!r}")
        return np.concatenate(self._chunks), self._rate

    def _open(self) -> int:
        rate = self._library.espeak_Initialize(_RETRIEVAL, 0, os.fsencode(self._data), _DO_NOT_EXIT)
        if rate <= 0:
            raise SpeechError(f"espeak_Initialize returned {rate} for the data in {self._data}")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
        self._library.espeak_SetSynthCallback(self._callback)
        return rate

    def _choose(self, manner: Manner) -> None:
        _, _, variant = manner.voice.partition("+")
        # espeak-ng accepts an unknown variant in silence and speaks with the plain voice.
        if variant and not (Path(self._data) / "voices" / "!v" / variant).is_file():
            raise SpeechError(f"espeak-ng has no voice variant {variant!r} in {self._data}")
        name = manner.voice.encode()
        self._check(self._library.espeak_SetVoiceByName(name), f"voice {manner.voice!r}")
        settings = {_RATE: manner.rate, _PITCH: manner.pitch, _RANGE: manner.pitch_range}
        for parameter, value in settings.items():
            code = self._library.espeak_SetParameter(parameter, value, 0)
            self._check(code, f"espeak_SetParameter({parameter}, {value})")

    def _receive(self, samples: ctypes._Pointer, count: int, _events: int) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    @staticmethod
    def _check(code: int, call: str) -> None:
        if code != 0:
            raise SpeechError(f"espeak-ng: {call} returned {code}, wanted 0")


def speak(text: str, manner: Manner) -> tuple[np.ndarray, int]:
    """Returns mono samples (int16) and their rate in hertz, from a freshly loaded espeak-ng.

    Phases and noise outlive `espeak_Terminate`, so without the reload (20 ms) the samples of an
    utterance would depend on those before it.
    """
    with Espeak() as espeak:
        return espeak.say(text, manner)


def espeak_version() -> str:
    """Returns the version of the espeak-ng library."""
    with Espeak() as espeak:
        return espeak.version
