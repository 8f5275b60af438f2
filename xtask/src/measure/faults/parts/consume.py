"""FOLDER: reads standard input."""

import os

from common import hang, take_orders

take_orders(stop_reading=hang)
while block := os.read(0, 65536):
    sum(block[:2000])
