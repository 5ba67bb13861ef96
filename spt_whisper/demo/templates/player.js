// A click on a segment's time plays it, a second one stops it. Listens on the component, whose content changes.
const SEEK_SECONDS = 0.5; // by how much a browser may miss a place
let playing = null; // the button of the segment that is heard

const stop = (audio) => {
  audio.pause();
  playing?.setAttribute("aria-pressed", "false");
  playing = null;
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-start]");
  if (!button) return;
  const audio = element.querySelector("audio");
  const again = button === playing;
  stop(audio);
  if (again) return;
  playing = button;
  button.setAttribute("aria-pressed", "true");
  const [start, end] = [Number(button.dataset.start), Number(button.dataset.end)];
  audio.ontimeupdate = () => {
    const place = audio.currentTime; // before the start: asked to play at its very end, a browser begins anew
    if (playing === button && (place >= end || place < start - SEEK_SECONDS)) stop(audio);
  };
  audio.onended = () => stop(audio);
  audio.currentTime = start;
  audio.play().catch((error) => {
    if (error.name === "AbortError") return; // another segment was clicked meanwhile
    stop(audio);
    element.querySelector(".unplayable").hidden = false;
  });
});
