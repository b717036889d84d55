"""A process of its own for the tests: it says `ready`, waits for a line, and then does what its first argument names.

contender migrate                  brings the database to the schema
contender claim NUMBER             claims token-0, token-1, ... and prints the number of each that it got
contender feedback SEED            keeps feedback without end, and prints each card once it is acknowledged
contender key FILE                 prints the key beside a database
"""

import itertools
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import orjson

from cds_service.hooks.feedback import receive
from cds_service.settings import Settings, from_environment
from cds_service.storage import schema
from cds_service.storage.opening import open_database, open_storage
from cds_service.storage.pseudonyms import own_key
from cds_service.tenants import Tenant

ISSUER = "https://ehr.example.org"
UNTIL = 4_000_000_000.0


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def migrate(settings: Settings) -> None:
    schema.upgrade(open_database(settings))


def claim(settings: Settings, number: str) -> None:
    replay = open_storage(settings).replay
    for token in range(int(number)):
        if replay.claim(ISSUER, f"token-{token}", UNTIL, time.time()):
            _say(token)


def feedback(settings: Settings, seed: str) -> None:
    ledger = open_storage(settings).ledger
    for number in itertools.count():
        cards = [str(uuid5(NAMESPACE_URL, f"{seed} {number} {item}")) for item in range(3)]
        receive(Tenant(id="a"), "milan-net-patient-view", body(cards), ledger, datetime.now(UTC))
        _say("\n".join(cards))


def body(cards: list[str]) -> bytes:
    entries = [
        {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-23T10:00:00Z"} for card in cards
    ]
    return orjson.dumps({"feedback": entries})


def key(_: Settings, file: str) -> None:
    _say(own_key(Path(file)).decode())


if __name__ == "__main__":
    _say("ready")
    sys.stdin.readline()
    {"migrate": migrate, "claim": claim, "feedback": feedback, "key": key}[sys.argv[1]](
        from_environment(), *sys.argv[2:]
    )
