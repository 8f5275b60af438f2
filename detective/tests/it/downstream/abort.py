"""Write the bytes on standard input as a record, in a transaction that is aborted."""
import sys

from confluent_kafka import Producer

brokers, topic, partition, key = sys.argv[1:]
producer = Producer({"bootstrap.servers": brokers, "transactional.id": topic + "-aborted"})
producer.init_transactions(60)
producer.begin_transaction()
producer.produce(topic, sys.stdin.buffer.read(), key, int(partition))
assert producer.flush(60) == 0, "the record was not written"
producer.abort_transaction(60)
