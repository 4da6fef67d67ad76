"""A producer that nobody of Switchboard wrote anything for: confluent-kafka and fastavro, with the Confluent framing.

usage: produce.py BROKERS TOPIC SCHEMA.avsc SCHEMA_ID < reports.ndjson
Each line is a report with the names of ReportSubmitted; fields that are left out get their defaults.
"""
import io
import json
import struct
import sys

from confluent_kafka import Producer
from fastavro import parse_schema, schemaless_writer

brokers, topic, schema_file, schema_id = sys.argv[1:]
with open(schema_file, encoding="utf-8") as f:
    schema = parse_schema(json.load(f))
failed = []


def delivered(error, _message):
    if error is not None:
        failed.append(error)


producer = Producer({"bootstrap.servers": brokers, "acks": "all", "partitioner": "murmur2_random"})
for line in sys.stdin:
    report = json.loads(line)
    body = io.BytesIO()
    body.write(struct.pack(">bI", 0, int(schema_id)))  # Confluent: 00, and the schema's id
    schemaless_writer(body, schema, report)
    producer.produce(topic, body.getvalue(), key=report["subscriber"], on_delivery=delivered)
    producer.poll(0)
producer.flush(60)
if failed:
    sys.exit(f"{len(failed)} were not delivered: {failed[0]}")
