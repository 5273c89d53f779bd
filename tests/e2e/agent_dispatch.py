"""LiveKit's Python client, as its users have it: one call of the AgentDispatchService, its answer as JSON.

python agent_dispatch.py URL KEY SECRET create ROOM AGENT METADATA
python agent_dispatch.py URL KEY SECRET list ROOM
python agent_dispatch.py URL KEY SECRET get|delete ROOM DISPATCH_ID
"""

import asyncio
import json
import sys

from google.protobuf.json_format import MessageToDict
from livekit import api


async def call(service, action, room, *rest):
    match action:
        case "create":
            agent, metadata = rest
            request = api.CreateAgentDispatchRequest(room=room, agent_name=agent, metadata=metadata)
            return MessageToDict(await service.create_dispatch(request))
        case "list":
            return [MessageToDict(dispatch) for dispatch in await service.list_dispatch(room)]
        case "get":
            dispatch = await service.get_dispatch(*rest, room)
            return dispatch and MessageToDict(dispatch)
        case "delete":
            return MessageToDict(await service.delete_dispatch(*rest, room))


async def main(url, key, secret, *request):
    async with api.LiveKitAPI(url, key, secret) as livekit:
        try:
            print(json.dumps(await call(livekit.agent_dispatch, *request)))
        except api.TwirpError as error:
            print(json.dumps({"code": error.code, "message": error.message}))


asyncio.run(main(*sys.argv[1:]))
