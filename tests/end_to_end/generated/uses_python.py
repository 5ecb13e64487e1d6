"""What a Python program does with the client that openapi-python-client makes: it says, asks, is refused, and lists.

It stands beside that client, in a folder of the test, and knows nothing of the bridge.
"""

import json
import sys

from api.api.admin import change, tenants
from api.api.default import of_group, say
from api.client import AuthenticatedClient, Client
from api.models.accepted import Accepted
from api.models.group_presence import GroupPresence
from api.models.new_stage import NewStage
from api.models.new_stage_stage_type_0 import NewStageStageType0
from api.models.refusal_body import RefusalBody
from api.models.refused_order import RefusedOrder
from api.models.said_by_backend import SaidByBackend
from api.models.said_by_backend_msg_type import SaidByBackendMsgType
from api.models.said_by_backend_target import SaidByBackendTarget

url, key, admin_key = sys.argv[1:]
backend = AuthenticatedClient(url, token=key, prefix="", auth_header_name="X-Api-Key")
operator = AuthenticatedClient(url, token=admin_key)
stranger = Client(url)

hello = SaidByBackend(msg_type=SaidByBackendMsgType.MSG, target=SaidByBackendTarget.GROUP, msg="hi")
said = say.sync(client=backend, body=hello)
assert isinstance(said, Accepted)
reload = SaidByBackend(SaidByBackendMsgType.CMD, SaidByBackendTarget.DIRECT, to_id="nobody", cmd="RELOAD_UI")
lonely = say.sync_detailed(client=backend, body=reload, x_account_id="acme")
assert isinstance(lonely.parsed, RefusalBody)
presence = of_group.sync("lobby", client=backend)
assert isinstance(presence, GroupPresence)
turned_away = tenants.sync_detailed(client=stranger)  # type: ignore[arg-type]  # it wants a key, and has none
assert isinstance(turned_away.parsed, RefusedOrder)
known = tenants.sync(client=operator)
assert isinstance(known, list)
step = change.sync_detailed("acme", client=operator, body=NewStage(stage=NewStageStageType0.V3), dry_run=True)

print(
    json.dumps(
        {
            "ok": said.ok,
            "refused": [lonely.status_code, lonely.parsed.code],
            "members": [member.client_id for member in presence.members],
            "stranger": [turned_away.status_code, turned_away.parsed.code],
            "tenants": [tenant["tenant"] for tenant in known],
            "dry_run": step.status_code,
        }
    )
)
