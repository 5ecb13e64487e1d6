// One WebSocket and its state: idle, connecting, open, closing. It shows nothing, keeps nothing that was said, and
// never connects by itself.

export class Client {
  #socket = null;
  #events;

  // `changed(state, close)` with `close` = {code, reason, wasOpen} when a connection has ended; `heard(text)`.
  constructor(events) {
    this.#events = events;
  }

  get state() {
    return ["connecting", "open", "closing", "idle"][this.#socket?.readyState ?? WebSocket.CLOSED];
  }

  connect(address) {
    this.abandon();
    const socket = new WebSocket(address);
    let wasOpen = false;
    this.#socket = socket;
    this.#events.changed("connecting");
    this.#listen(socket, "open", () => {
      wasOpen = true;
      this.#events.changed("open");
    });
    this.#listen(socket, "message", ({ data }) => this.#events.heard(String(data)));
    this.#listen(socket, "close", ({ code, reason }) => {
      this.#socket = null;
      this.#events.changed("idle", { code, reason, wasOpen });
    });
  }

  // Whether it could be said.
  say(text) {
    if (this.state !== "open") return false;
    this.#socket.send(text);
    return true;
  }

  disconnect() {
    if (this.#socket === null) return;
    this.#socket.close(1000);
    this.#events.changed("closing");
  }

  // As `disconnect`, and nothing more is told.
  abandon() {
    this.#socket?.close(1000);
    this.#socket = null;
  }

  #listen(socket, event, act) {
    socket.addEventListener(event, (happened) => {
      if (socket === this.#socket) act(happened);
    });
  }
}
