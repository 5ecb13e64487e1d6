// Tells when what was connected may be so no more, before any timer would notice. It opens and closes nothing.

// `events` = {changed(), online(), leaving(), left(), back()}: another network, or a sleep; a network again; the page
// is about to be left, and may say a last word; it is left; it is shown again. The returned function ends it. Outside
// of a page there is nothing to be heard.
export function watchNetwork({ changed, online, leaving, left, back }) {
  const { document, navigator } = globalThis;
  const isVisible = () => document?.visibilityState === "visible";
  let isLeaving = false;
  const goIfLeaving = () => isLeaving && left();
  const leave = () => {
    isLeaving = true;
    leaving();
    if (isVisible()) setTimeout(goIfLeaving); // rather when it is hidden: next, and after all of its own listeners
    else left();
  };
  const show = () => {
    isLeaving = false;
    back();
  };
  const listened = [
    [globalThis, "online", online],
    [globalThis, "offline", changed],
    [globalThis, "pagehide", leave],
    [globalThis, "pageshow", show],
    [document, "visibilitychange", () => isVisible() && changed()],
    [globalThis, "visibilitychange", () => isVisible() || goIfLeaving()],
    [navigator?.connection, "change", changed],
  ].filter(([target]) => typeof target?.addEventListener === "function");
  for (const [target, type, handler] of listened) target.addEventListener(type, handler);
  return () => {
    for (const [target, type, handler] of listened) target.removeEventListener(type, handler);
  };
}
