// The operator's key: in the session storage of this tab, and forgotten with it. It must never be kept anywhere else.

const NAME = "aether-bridge-admin-key";

export function knownKey() {
  return sessionStorage.getItem(NAME);
}

export function rememberKey(key) {
  sessionStorage.setItem(NAME, key);
}

export function forgetKey() {
  sessionStorage.removeItem(NAME);
}
