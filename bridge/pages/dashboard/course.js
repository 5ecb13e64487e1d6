// The course of a tenant from V2 to V3: points in time out of what the bridge has kept, and the present moment as the
// last of them. Pure. It never invents a point: where nothing was kept, there is a gap.

const MINUTE = { records: "minutes", seconds: 60 };
const HOUR = { records: "hours", seconds: 3600 };
export const RANGES = {
  hour: { words: "the last hour", seconds: 3600, step: MINUTE },
  day: { words: "the last day", seconds: 86_400, step: MINUTE },
  all: { words: "all that is kept", seconds: Infinity, step: HOUR },
};
const FEWEST_HOURS = 2;
// So long after a minute has ended the bridge may still be writing it down.
const LATE_SECONDS = 5;
export const NO_HISTORY = { minutes: [], hours: [], fetchedAt: 0 };

// Whether a minute has ended since the history was fetched.
export function isBehind({ fetchedAt }, now) {
  const minute = (seconds) => Math.floor((seconds - LATE_SECONDS) / MINUTE.seconds);
  return minute(now) > minute(fetchedAt);
}

// `history` is the bridge's, with `fetchedAt`; `present` = {now, connections, messages}, of which `messages`, a minute,
// may be undefined. The answer: [{at, connections, messages}]; the numbers of a gap are undefined. Times are seconds.
export function courseOf(history, range, present) {
  const { seconds, step } = stepFor(history, RANGES[range]);
  const kept = pointsOf(history[step.records], step.seconds);
  // What had not ended when it was fetched would look like a drop: the present moment stands in its place.
  const ended = kept.filter(({ at }) => at >= present.now - seconds && hasEnded(at, step, history));
  return withGaps([...ended, { ...present, at: present.now }], step.seconds);
}

// A bridge that is hours old has no hours to show yet.
function stepFor(history, range) {
  const ended = history.hours.filter(({ at }) => hasEnded(Date.parse(at) / 1000, HOUR, history));
  return range.step === HOUR && ended.length < FEWEST_HOURS ? { ...range, step: MINUTE } : range;
}

function hasEnded(at, step, { fetchedAt }) {
  return at + step.seconds + LATE_SECONDS <= fetchedAt;
}

function pointsOf(records, seconds) {
  const minutes = seconds / MINUTE.seconds;
  return records.map(({ at, connections, messages }) => ({
    at: Date.parse(at) / 1000,
    connections,
    messages: { v2: messages.v2 / minutes, v3: messages.v3 / minutes },
  }));
}

function withGaps(points, seconds) {
  return points.flatMap((point, place) => {
    const before = points[place - 1];
    const isAfterGap = before !== undefined && point.at - before.at > 2.5 * seconds;
    return isAfterGap ? [{ at: before.at + seconds }, point] : [point];
  });
}
