// What each role may do on this page, and how it is said. Pure. The API decides by itself; this only spares people what
// it would refuse.

const ROLES = ["none", "viewer", "operator", "admin"];
const MAY = {
  viewer: "it may look, and change nothing",
  operator: "it may move tenants",
  admin: "it may do all that is done here",
};

export function mayMove(role) {
  return isAtLeast(role, "operator");
}

export function mayManage(role) {
  return isAtLeast(role, "admin");
}

// `what` takes a key with the role `needed`, and this key's is another one.
export function lookingOnly(what, needed, role) {
  return `${what} takes a key with the role ${needed}. This key’s is ${role}: ${MAY[role]}.`;
}

export function roleInWords({ name, role }) {
  return `Signed in with ${name}. Its role is ${role}: ${MAY[role]}.`;
}

function isAtLeast(role, least) {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}
