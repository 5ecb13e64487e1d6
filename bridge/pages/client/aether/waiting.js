// Who waits for the answer to what: questions that the bridge answers to their sender alone. Never waits for ever.

export class Waiting {
  #questions = new Map();
  #last = 0;

  // The question gets a number; it is refused when `milliseconds` have passed, and `late` is called.
  ask(message, link, milliseconds, late = () => {}) {
    const ask = `${(this.#last += 1)}`;
    const said = { ...message, payload: { ...message.payload, ask } };
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#take(ask)?.reject(new Error("no answer"));
        late();
      };
      const timer = setTimeout(end, milliseconds);
      this.#questions.set(ask, { resolve, reject, timer, msg_type: said.msg_type });
      link.send(JSON.stringify(said));
    });
  }

  // Whether it was the answer to a question that the page did not ask for.
  answer(message) {
    const question = this.#take(message.payload?.ask);
    question?.resolve(message);
    return question?.msg_type === "msg";
  }

  // The oldest question of its kind: answers and refusals come in the order of the questions.
  refuse(msg_type, why) {
    const [ask] = [...this.#questions].find(([, question]) => question.msg_type === msg_type) ?? [];
    this.#take(ask)?.reject(new Error(why));
  }

  refuseAll(why) {
    for (const ask of [...this.#questions.keys()]) this.#take(ask).reject(new Error(why));
  }

  #take(ask) {
    const question = this.#questions.get(ask);
    this.#questions.delete(ask);
    clearTimeout(question?.timer);
    return question;
  }
}
