// What a TypeScript program does with the types that openapi-typescript makes: it says, asks, is refused, and lists.
import createClient from "openapi-fetch";

import type { paths } from "./api.js";

const [url, key, adminKey] = process.argv.slice(2) as [string, string, string];
const backend = createClient<paths>({ baseUrl: url, headers: { "X-Api-Key": key } });
const operator = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${adminKey}` } });

const said = await backend.POST("/v3/messages", { body: { msg_type: "msg", target: "group", msg: "hi" } });
const accepted: { ok: true; sent_at: string } | undefined = said.data;
const lonely = await backend.POST("/v3/messages", {
  params: { query: { x_account_id: "acme" } },
  body: { msg_type: "cmd", target: "direct", to_id: "nobody", cmd: "RELOAD_UI", from_id: "billing" },
});
const refusal: { code: string; msg: string } | undefined = lonely.error;
const presence = await backend.GET("/v3/presence/group/{group_id}", { params: { path: { group_id: "lobby" } } });
const members: string[] | undefined = presence.data?.members.map((member) => member.client_id);
const stranger = await createClient<paths>({ baseUrl: url }).GET("/admin/api/tenants");
const tenants = await operator.GET("/admin/api/tenants");
const step = await operator.PUT("/admin/api/tenants/{tenant}/stage", {
  params: { path: { tenant: "acme" }, query: { dry_run: true } },
  body: { stage: "v3" },
});

// @ts-expect-error: no such target
void (() => backend.POST("/v3/messages", { body: { msg_type: "msg", target: "everybody" } }));

console.log(
  JSON.stringify({
    ok: accepted?.ok,
    refused: [lonely.response.status, refusal?.code],
    members,
    stranger: [stranger.response.status, stranger.error?.code],
    tenants: tenants.data?.map((tenant) => tenant["tenant"]),
    dry_run: step.response.status,
  }),
);
