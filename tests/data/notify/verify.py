"""Verifies requests by the Standard Webhooks library.

verify.py SECRET <REQUESTS

REQUESTS are the lines that server.py writes. For each one it prints `good`, or why it is refused.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook

for line in sys.stdin:
    request = json.loads(line)
    try:
        Webhook(sys.argv[1]).verify(request["body"], request["headers"])
        print("good")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
