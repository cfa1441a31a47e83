"""Finding the points that the server will never take among thousands that it takes.

Only a point that the server refuses on its own, or names, is given up: never a request as a whole. What the
server names is believed; of what it does not name, requests are halved until the bad points stand alone.
So `n` lines cost one request when all is well, two or three more for a mistake that the server names
(however many points have it), and at most about ``2 k log2 n`` for `k` points that it does not name.

A sift goes on where it was: when the server fails in the middle, nothing that was answered is asked again.
Good points may be written twice on the way, which does no harm.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from ingest.stores.influx_answers import Outcome, Refusal, Verdict
from ingest.stores.influx_client import InfluxClient


class EverythingRefused(Exception):
    """The server refuses whatever it is sent, for a reason that is not known to be about points.

    Then it is the request, the server or what lies before it. Keep everything, show the `reason`.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


Send = Callable[[Sequence[bytes]], Awaitable[Outcome]]
"""Sends lines as one request. What it raises leaves the sift where it was."""


class Sift:
    """Writes `lines` as far as the server takes them; `refused` has the others when `run` has returned."""

    def __init__(self, lines: Sequence[bytes], accepted: Callable[[], int], per_request: int) -> None:
        """`accepted` counts the requests that the server took so far, from anybody: whoever takes others'
        points and refuses ours means ours."""
        self.lines = lines
        self.refused: dict[int, str] = {}
        """Why, by position in `lines`."""
        self._accepted = accepted
        self._accepted_before = accepted()
        whole = range(len(lines))
        self._parts: list[Sequence[int]] = [
            whole[at : at + per_request] for at in reversed(range(0, len(lines), per_request))
        ]
        """Positions still to be written; the last part is the next."""

    async def run(self, send: Send) -> None:
        """Go on until every line is written or refused.

        Raises `EverythingRefused` and what `send` raises; then it may be run again.
        """
        while self._parts:
            part = self._parts[-1]
            outcome = await send([self.lines[at] for at in part])
            if outcome.verdict is Verdict.REFUSED and not outcome.refusal.of_points:
                await self._ask_whether_others_pass(part, outcome.refusal, send)
            self._parts.pop()
            self._judge(part, outcome)

    def _judge(self, part: Sequence[int], outcome: Outcome) -> None:
        refusal = outcome.refusal
        if outcome.verdict is Verdict.WRITTEN:
            return
        if len(part) == 1:
            self.refused[part[0]] = refusal.reason
            return
        if outcome.verdict is Verdict.TOO_LARGE:
            self._halve(part)
            return
        lines = [self.lines[at].decode() for at in part]
        if named := refusal.named(lines):
            self.refused |= {part[at]: why for at, why in named.items()}
            self._divide(part, {*named}, again=False)
        elif 0 < len(suspects := {*refusal.suspects(lines)}) < len(part):
            self._divide(part, suspects, again=True)
        else:
            self._halve(part)

    def _divide(self, part: Sequence[int], chosen: set[int], *, again: bool) -> None:
        """Next the others of `part`: whether they were written, nobody said. Then the chosen, if `again`."""
        if again:
            self._parts.append([at for number, at in enumerate(part) if number in chosen])
        if rest := [at for number, at in enumerate(part) if number not in chosen]:
            self._parts.append(rest)

    def _halve(self, part: Sequence[int]) -> None:
        middle = len(part) // 2
        self._parts += [part[middle:], part[:middle]]

    async def _ask_whether_others_pass(self, part: Sequence[int], refusal: Refusal, send: Send) -> None:
        """Two single points, unless somebody's were taken meanwhile; raises `EverythingRefused`."""
        if self._accepted() > self._accepted_before:
            return
        for at in (part[0], part[-1]) if len(part) > 1 else ():
            if (await send([self.lines[at]])).verdict is Verdict.WRITTEN:
                return
        raise EverythingRefused(refusal.reason)


class LineWriter:
    """Writes lines through one client, as far as the server will ever take them."""

    def __init__(self, client: InfluxClient, per_request: int) -> None:
        self._client = client
        self._per_request = per_request
        self._accepted = 0

    async def write(self, lines: Sequence[bytes], policy: str = "") -> Mapping[int, str]:
        """Write them to a retention policy (empty: the usual one).

        Returns why lines were refused, by position. Raises `ingest.database.StoreUnavailable`; what was
        written until then may be written again.
        """

        async def send(some: Sequence[bytes]) -> Outcome:
            outcome = await self._client.write(b"\n".join(some), policy=policy)
            self._accepted += outcome.verdict is Verdict.WRITTEN
            return outcome

        sift = Sift(lines, lambda: self._accepted, self._per_request)
        try:
            await sift.run(send)
        except EverythingRefused as error:
            raise self._client.refuses_everything(error.reason) from error
        return sift.refused
