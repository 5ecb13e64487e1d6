// What a page says and listens with, in few words: all is said by `send`, which a subclass has. It must never know of a
// connection.

export class Speaker extends EventTarget {
  say(msg, payload) {
    return this.send({ msg_type: "msg", target: "group", msg, payload });
  }

  command(cmd, payload) {
    return this.send({ msg_type: "cmd", target: "group", cmd, payload });
  }

  // `what`: a text, or {msg, cmd, payload}.
  direct(to_id, what) {
    return this.send({ target: "direct", to_id, ...contentOf(what) });
  }

  broadcast(what) {
    return this.send({ target: "broadcast", ...contentOf(what) });
  }

  // Handlers of `detail`; the returned function takes this one away.
  on(type, handler) {
    const listener = ({ detail }) => handler(detail);
    this.addEventListener(type, listener);
    return () => this.removeEventListener(type, listener);
  }
}

function contentOf(what) {
  const content = typeof what === "string" ? { msg: what } : what;
  return { msg_type: content.cmd === undefined ? "msg" : "cmd", ...content };
}
