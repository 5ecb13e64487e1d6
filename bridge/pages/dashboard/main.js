// Begins the page: the door, or the workspace for as long as the key opens. It knows who is signed in and whether what
// is shown is live; it never looks into a tenant.

import { Api } from "./api.js";
import { Events } from "./events.js";
import { forgetKey, knownKey, rememberKey } from "./session.js";
import { SignIn } from "./sign_in.js";
import { Workspace } from "./workspace.js";

const LINKS = { live: "live", away: "Redis is away", lost: "reconnecting…" };
const live = document.getElementById("live");
const content = document.getElementById("content");
const signIn = new SignIn(document.getElementById("sign-in"), (key, states) => {
  rememberKey(key);
  const workspace = enter(key);
  workspace.show(states);
  workspace.focus();
});
let leave = () => {};

function enter(key) {
  const api = new Api(key);
  const workspace = new Workspace(api);
  const events = new Events(api, {
    states: (states) => workspace.show(states),
    link: showLink,
    refused: ({ message }) => signOut(message),
  });
  leave = () => {
    events.stop();
    workspace.remove();
  };
  showSignedIn(true);
  signIn.hide();
  events.listen();
  return workspace;
}

function signOut(problem) {
  forgetKey();
  leave();
  leave = () => {};
  showSignedIn(false);
  signIn.show(problem);
}

function showSignedIn(isSignedIn) {
  document.body.classList.toggle("signed-in", isSignedIn);
  document.getElementById("sign-out").hidden = !isSignedIn;
  document.getElementById("tenants").hidden = !isSignedIn;
  live.textContent = isSignedIn ? "connecting…" : "";
  delete live.dataset.link;
}

function showLink(link) {
  if (live.textContent !== LINKS[link]) live.textContent = LINKS[link];
  live.dataset.link = link;
}

document.getElementById("sign-out").addEventListener("click", () => signOut());
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  content.focus();
});
if (knownKey() === null) signIn.show();
else enter(knownKey());
