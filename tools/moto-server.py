"""moto_server, with DynamoDB's requests one at a time.

moto answers in threads but does not make a conditional write atomic: of two that meet, both may succeed, and a read may
see half a write. DynamoDB does neither."""
import sys
import threading

from moto.dynamodb.responses import DynamoHandler
from moto.server import main

answer = DynamoHandler.call_action
one_at_a_time = threading.Lock()


def call_action(handler):
    with one_at_a_time:
        return answer(handler)


DynamoHandler.call_action = call_action
main(sys.argv[1:])
