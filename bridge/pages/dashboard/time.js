// Points in time for people: how long ago, with the exact time behind it. What is shown grows older by itself wherever
// `refreshTimes` is called. It must never keep a reference to what it made.

const STEPS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const exactToTheMinute = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const calendar = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayAndMonth = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

// A moment as `<time>`: "5 minutes ago", and when exactly to whoever points at it.
export function ago(moment) {
  const shown = document.createElement("time");
  shown.dateTime = moment;
  shown.title = exact.format(new Date(moment));
  shown.textContent = inWords(moment);
  return shown;
}

export function refreshTimes(within) {
  for (const shown of within.querySelectorAll("time[title]")) shown.textContent = inWords(shown.dateTime);
}

export function exactly(moment) {
  return exact.format(new Date(moment));
}

export function toTheMinute(moment) {
  return exactToTheMinute.format(new Date(moment));
}

// A date without a time, and how far it is.
export function dateInWords(date) {
  return `${calendar.format(new Date(date))}, ${inWords(date)}`;
}

// As short as an axis wants it: the time of day, and the date at midnight or where days are far apart.
export function onAxis(seconds, secondsApart) {
  const at = new Date(seconds * 1000);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  return secondsApart >= 86_400 || isMidnight ? dayAndMonth.format(at) : clock.format(at);
}

function inWords(moment) {
  const seconds = (new Date(moment) - Date.now()) / 1000;
  const [unit, length] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? STEPS.at(-1);
  return Math.abs(seconds) < 5 ? "just now" : relative.format(Math.round(seconds / length), unit);
}
