"""Print the events of the topic `detective.alerts`, one line each.

    BROKERS=127.0.0.1:9092 [PREFIX=...] python3 alerts.py root_cause_event.avsc [OTHER.avsc ...]

The first schema is the reader's schema. List other versions after it if the topic holds values that
were written with them.
"""

import io
import os
import sys

import fastavro
from confluent_kafka import Consumer, KafkaException


def read_schema(path):
    """Returns the ten bytes that start each value of this schema, and the schema."""
    schema = fastavro.schema.load_schema(path)
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    return b"\xc3\x01" + bytes.fromhex(fingerprint), schema


def decode(value, writers, reader):
    header, body = value[:10], io.BytesIO(value[10:])
    if header not in writers:
        sys.exit(f"a value starts with {header.hex(' ')}, which matches none of the given schemas")
    return fastavro.schemaless_reader(body, writers[header], reader)


def describe(event):
    suspect = event["initiating"]
    root_cause = "inconclusive"
    if suspect:
        location = suspect["path"] or suspect["endpoint"] or suspect["role"]
        root_cause = f"{suspect['name']} pid {suspect['pid']} {location}"
    previous = f", again after {event['previous']}" if event["previous"] else ""
    line = f"{event['time']:%H:%M:%S} {event['event']:8} {event['incident']} on {event['host']}"
    return f"{line}{previous}, initiating: {root_cause}"


schemas = [read_schema(path) for path in sys.argv[1:]]
if not schemas:
    sys.exit(__doc__)
writers, reader = dict(schemas), schemas[0][1]

consumer = Consumer({
    "bootstrap.servers": os.environ["BROKERS"],
    "group.id": "print-alerts",
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    # Commit an event's offset only after the event was handled.
    "enable.auto.offset.store": False,
})
consumer.subscribe([os.environ.get("PREFIX", "") + "detective.alerts"])
try:
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        print(describe(decode(message.value(), writers, reader)), flush=True)
        consumer.store_offsets(message)
except KeyboardInterrupt:
    pass
finally:
    consumer.close()
