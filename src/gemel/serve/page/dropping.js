// How items come to an input by other ways than its own button: files dropped on it, files and text pasted anywhere.
// Knows inputs only as takers of files.

const takers = new Map();

/** Let files be dropped on an element, and what is pasted come to it, for an input: {take(files), type(text), empty()}. */
export function droppable(element, input) {
  const leave = () => element.classList.remove("over");
  const over = (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    element.classList.add("over");
  };
  element.addEventListener("dragenter", over);
  element.addEventListener("dragover", over);
  element.addEventListener("dragleave", (event) => element.contains(event.relatedTarget) || leave());
  element.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    leave();
    input.take([...event.dataTransfer.files]);
  });
  takers.set(element, input);
}

/** Whether files are dragged; text that is dragged into a field is the browser's own business. */
const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");

/** Bring what is pasted to an input: the one in focus, else the first empty one. And Ctrl-Enter sends a form. */
export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
  });
  for (const name of ["dragover", "drop"]) {
    document.addEventListener(name, (event) => holdsFiles(event) && event.preventDefault());
  }
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (files.length === 0 && (!text || event.target.closest?.("input, textarea"))) return;
    const input = wanting((each) => (files.length ? each.take : each.type));
    if (!input) return;
    event.preventDefault();
    if (files.length) input.take(files);
    else input.type(text);
  });
}

/** The input that what is pasted is meant for, of those in view that can take it. */
function wanting(can) {
  for (const element of takers.keys()) if (!element.isConnected) takers.delete(element);
  const visible = [...takers.keys()].filter((element) => element.checkVisibility() && can(takers.get(element)));
  const place =
    visible.find((element) => element.contains(document.activeElement)) ??
    visible.find((element) => takers.get(element).empty()) ??
    visible[0];
  return takers.get(place);
}
