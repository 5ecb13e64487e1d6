// The ways in which a form is sent: its button, Enter in a line, Ctrl+Enter (or Cmd+Enter) anywhere in it. The browser
// never sends it anywhere by itself.

export function sendsWithControlEnter(form, send) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    send();
  });
}
