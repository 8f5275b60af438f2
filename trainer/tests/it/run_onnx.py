"""Checks an ONNX file and compares its reconstructions with expected ones.

Reads one JSON object from standard input: the path of the model, and cases of features, edges and
the expected reconstruction. Prints one JSON object: opset, metadata, symbolic dimensions and the
largest difference of each case.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime

request = json.load(sys.stdin)
model = onnx.load(request["model"])
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(request["model"], providers=["CPUExecutionProvider"])
differences = []
for case in request["cases"]:
    x = np.array(case["x"], dtype=np.float32).reshape(-1, case["width"])
    edges = np.array([case["sources"], case["targets"]], dtype=np.int64).reshape(2, -1)
    (found,) = session.run(["reconstruction"], {"x": x, "edge_index": edges})
    expected = np.array(case["expected"], dtype=np.float32).reshape(-1, case["width"])
    assert found.shape == expected.shape, (found.shape, expected.shape)
    differences.append(float(np.max(np.abs(found - expected))))
print(json.dumps({
    "opset": [entry.version for entry in model.opset_import],
    "metadata": {entry.key: entry.value for entry in model.metadata_props},
    "inputs": {value.name: [str(dim) for dim in value.shape] for value in session.get_inputs()},
    "outputs": {value.name: [str(dim) for dim in value.shape] for value in session.get_outputs()},
    "differences": differences,
}))
