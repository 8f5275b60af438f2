"""Read standard input, which is a pipe from the feed."""

import os

import component

reading = component.Gate()
component.initialize({"unread-pipe": reading.hold})
while block := os.read(0, 65536):
    sum(block[:2000])
    reading.wait()
