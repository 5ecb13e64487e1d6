// When a client comes back, by the close code's class. Pure but for the jitter: it opens nothing and waits for nothing.

const isFinal = (code) => code >= 4000 && code <= 4499;
const asksForPause = (code) => code === 1012 || (code >= 4500 && code <= 4999);
const UNAUTHENTICATED = 4401;

// Milliseconds, or `null` for never. `losses`: how many in a row; `retryAfter`: what the bridge asked for, if it did.
// Everything but 4000-4499 comes back; 1000 too, since whoever asked this client to close does not ask here.
export function pauseAfter(code, losses, retryAfter, { firstPauseSeconds, longestPauseSeconds, jwt }) {
  if (isFinal(code) && !comesBackChanged(code, jwt)) return null;
  if (Number.isFinite(retryAfter)) return Math.max(0, retryAfter) + jittered(firstPauseSeconds * 500);
  const longest = Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** Math.min(losses - 1, 16));
  return jittered(1000 * (asksForPause(code) ? Math.max(longest, 2 * firstPauseSeconds) : longest));
}

// Whether new credentials can make it another client.
export function comesBackChanged(code, jwt) {
  return code === UNAUTHENTICATED && typeof jwt === "function";
}

// The token of this moment. Rejects when it does not come in time.
export async function tokenFrom(jwt, seconds) {
  if (typeof jwt !== "function") return jwt;
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`jwt() gave no token in ${seconds} s`)), seconds * 1000);
  });
  try {
    const token = await Promise.race([jwt(), late]);
    if (typeof (token ?? "") !== "string") throw new TypeError("jwt() gave no token: what it gave is no text");
    return token;
  } finally {
    clearTimeout(timer);
  }
}

// Half of it for certain: a thousand clients that lost one bridge do not come back in one moment.
function jittered(milliseconds) {
  return milliseconds * (0.5 + Math.random() / 2);
}
