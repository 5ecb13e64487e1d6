// Tells when what was connected may be so no more, before any timer would notice. It opens and closes nothing.

// `events` = {changed(), online(), left(), back()}: another network, or a sleep; a network again; the page is left, and
// shown again. The returned function ends it. Outside of a page there is nothing to be heard.
export function watchNetwork({ changed, online, left, back }) {
  const { document, navigator } = globalThis;
  const visible = () => document.visibilityState === "visible" && changed();
  const listened = [
    [globalThis, "online", online],
    [globalThis, "offline", changed],
    [globalThis, "pagehide", left],
    [globalThis, "pageshow", back],
    [document, "visibilitychange", visible],
    [navigator?.connection, "change", changed],
  ].filter(([target]) => typeof target?.addEventListener === "function");
  for (const [target, type, handler] of listened) target.addEventListener(type, handler);
  return () => {
    for (const [target, type, handler] of listened) target.removeEventListener(type, handler);
  };
}
