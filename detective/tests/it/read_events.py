"""Decode the alerts topic of an embedded bus with fastavro and the committed schema; print JSON."""
import io
import json
import sqlite3
import sys

import fastavro

bus, schema_path = sys.argv[1:]
with open(schema_path) as file:
    text = json.load(file)
# Times stay numbers.
for field in text["fields"]:
    if isinstance(field["type"], dict) and "logicalType" in field["type"]:
        field["type"] = field["type"]["type"]
schema = fastavro.parse_schema(json.loads(json.dumps(text)))
with open(schema_path) as file:
    committed = fastavro.parse_schema(json.load(file))

# Single-object encoding: two marker bytes, then the CRC-64-AVRO fingerprint of the schema.
fingerprint = fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(committed), "CRC-64-AVRO")
header = bytes([0xC3, 0x01]) + bytes.fromhex(fingerprint)

rows = sqlite3.connect(bus).execute(
    "SELECT records.value FROM records JOIN logs ON logs.id = records.log "
    "WHERE logs.topic = 'detective.alerts' ORDER BY records.offset"
)
events = []
for (value,) in rows:
    assert value[:10] == header, (value[:10].hex(), header.hex())
    events.append(fastavro.schemaless_reader(io.BytesIO(value[10:]), schema))
print(json.dumps(events))
