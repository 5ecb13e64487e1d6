"""What one connection has said and Redis has not answered yet. An echo waits for the answers to all that came before.

So whoever gets an echo back has been told of everything that was refused before. An echo must never wait for what was
said after it. Bounded: every message is answered within two seconds, and no connection says more than its rate allows.
"""

from collections.abc import Callable


class Round:
    """What was said between two echoes: how many messages are not answered yet, and the echoes that follow on them."""

    __slots__ = ("echoes", "messages")

    def __init__(self) -> None:
        self.messages = 0
        self.echoes: list[Callable[[], None]] = []


class Unanswered:
    """The rounds of one connection, the oldest first. There is always one."""

    __slots__ = ("_rounds",)

    def __init__(self) -> None:
        self._rounds = [Round()]

    def say(self) -> Round:
        """A message is said; the caller gives the round to `answered` once."""
        last = self._rounds[-1]
        if last.echoes:
            last = Round()
            self._rounds.append(last)
        last.messages += 1
        return last

    def answered(self, round_: Round) -> None:
        """A message of this round was heard or refused. Answers come in any order."""
        round_.messages -= 1
        if not round_.messages and (round_.echoes or len(self._rounds) > 1):
            self._come_back()

    def echo(self, echo: Callable[[], None]) -> None:
        """Call `echo` when everything that was said so far is answered: perhaps now."""
        self._rounds[-1].echoes.append(echo)
        self._come_back()

    def _come_back(self) -> None:
        while not self._rounds[0].messages:
            echoes, self._rounds[0].echoes = self._rounds[0].echoes, []
            for echo in echoes:
                echo()
            if len(self._rounds) == 1:
                break
            del self._rounds[0]
