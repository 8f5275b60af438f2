"""Read a recording with fastavro, write it again with the committed schema, and print it as JSON."""
import json
import sys
from datetime import datetime

import fastavro

recording, schema_path, copy, codec = sys.argv[1:]
with open(schema_path) as file:
    schema = fastavro.parse_schema(json.load(file))
with open(recording, "rb") as file:
    reader = fastavro.reader(file)
    records = list(reader)
canonical = fastavro.schema.to_parsing_canonical_form
assert canonical(reader.writer_schema) == canonical(schema), "the header's schema is not the committed one"
with open(copy, "wb") as file:
    # A few records per block.
    fastavro.writer(file, schema, records, codec=codec, sync_interval=2000)


def text(value):
    assert isinstance(value, datetime), value
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


print(json.dumps(records, default=text))
