// Moments in milliseconds since 1970, in the time of the server -> words.

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
];

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** The time of day, with the day where that is another than today's. */
export function clock(at, now) {
  const moment = new Date(at);
  const day = DAY.format(moment);
  return day === DAY.format(new Date(now)) ? CLOCK.format(moment) : `${day}, ${CLOCK.format(moment)}`;
}

/** A span in its largest unit, and the next one where that says more. */
export function span(milliseconds) {
  const found = UNITS.findIndex(([, size]) => milliseconds >= size);
  if (found < 0) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const [unit, size] = UNITS[found];
  const whole = Math.floor(milliseconds / size);
  const next = UNITS[found + 1];
  const rest = next ? Math.floor((milliseconds % size) / next[1]) : 0;
  return rest && whole < 10 ? `${whole} ${unit} ${rest} ${next[0]}` : `${whole} ${unit}`;
}

export function ago(at, now) {
  if (at > now) return `in ${span(at - now)}`;
  if (now - at < 1000) return "now";
  const [unit, size] = UNITS.find(([, one]) => now - at >= one);
  return `${Math.floor((now - at) / size)} ${unit} ago`;
}
