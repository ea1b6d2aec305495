"""Reads MediaPipe's face_landmarker.task without TensorFlow: stdlib and numpy only.

A .task file is a zip archive of .tflite models (FlatBuffers) and a protobuf with the canonical face mesh.
`convert_task` turns it into arrays and operator lists, which `modules/faces/networks.py` describes and runs.
Sources: tensorflow/lite/schema/schema.fbs (field and operator numbers) and the .proto files of
mediapipe/tasks/cc/vision/face_geometry.
"""

import io
import struct
import zipfile

import numpy as np

MEMBERS = {  # by network
    "detector": "face_detector.tflite",
    "mesh": "face_landmarks_detector.tflite",
    "blendshapes": "face_blendshapes.tflite",
}
GEOMETRY = "geometry_pipeline_metadata_landmarks.binarypb"

OPERATORS = {
    0: "ADD", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 6: "DEQUANTIZE", 14: "LOGISTIC",
    17: "MAX_POOL_2D", 18: "MUL", 19: "RELU", 22: "RESHAPE", 34: "PAD", 39: "TRANSPOSE", 40: "MEAN", 41: "SUB",
    42: "DIV", 45: "STRIDED_SLICE", 54: "PRELU", 59: "NEG", 74: "SUM", 75: "SQRT", 76: "RSQRT",
    99: "SQUARED_DIFFERENCE",
}  # fmt: skip
DTYPES = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
ACTIVATIONS = {0: None, 1: "relu", 3: "relu6"}
ELEMENTWISE = {
    "ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div", "SQUARED_DIFFERENCE": "sqdiff",
    "NEG": "neg", "SQRT": "sqrt", "RSQRT": "rsqrt", "RELU": "relu", "LOGISTIC": "sigmoid",
}  # fmt: skip


class Table:
    """One FlatBuffers table: fields by number, read on demand (https://flatbuffers.dev/internals)."""

    def __init__(self, data, position):
        self.data, self.position = data, position
        self.vtable = position - struct.unpack_from("<i", data, position)[0]
        self.slots = (struct.unpack_from("<H", data, self.vtable)[0] - 4) // 2

    def _at(self, field):
        """Absolute position of a field, or 0 when it holds its default."""
        offset = struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * field)[0] if field < self.slots else 0
        return self.position + offset if offset else 0

    def _follow(self, position):
        return position + struct.unpack_from("<I", self.data, position)[0]

    def scalar(self, field, kind="i", default=0):
        at = self._at(field)
        return struct.unpack_from("<" + kind, self.data, at)[0] if at else default

    def table(self, field):
        at = self._at(field)
        return Table(self.data, self._follow(at)) if at else None

    def tables(self, field):
        at = self._at(field)
        if not at:
            return []
        start = self._follow(at)
        count = struct.unpack_from("<I", self.data, start)[0]
        return [Table(self.data, self._follow(start + 4 + 4 * i)) for i in range(count)]

    def array(self, field, dtype=np.int32):
        at = self._at(field)
        if not at:
            return np.zeros(0, dtype)
        start = self._follow(at)
        count = struct.unpack_from("<I", self.data, start)[0]
        return np.frombuffer(self.data, dtype, count, start + 4)


def same_padding(size, kernel, stride):
    """(before, after) of TensorFlow's SAME rule for one axis: the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Model:
    """One .tflite file turned into an operator list (see the module docstring).

    A 4-D input marks an image network: its 4-D values become channels first. Otherwise the values keep their order and
    each convolution must be a 1x1 one, which is a linear layer over the last axis.
    """

    def __init__(self, data):
        if data[4:8] != b"TFL3":
            raise ValueError("not a TensorFlow Lite model (identifier TFL3 missing)")
        root = Table(data, struct.unpack_from("<I", data, 0)[0])
        self.codes = [max(t.scalar(0, "b"), t.scalar(3, "i")) for t in root.tables(1)]
        graph = root.tables(2)[0]
        buffers = root.tables(4)
        self.shapes, self.constants = {}, {}
        for index, tensor in enumerate(graph.tables(0)):
            self.shapes[index] = [int(v) for v in tensor.array(0)]
            raw = buffers[tensor.scalar(2, "I")].array(0, np.uint8)
            if raw.size:
                dtype = DTYPES[tensor.scalar(1, "b")]
                self.constants[index] = np.frombuffer(raw.tobytes(), dtype).reshape(self.shapes[index])
        self.inputs, self.outputs = ([int(v) for v in graph.array(f)] for f in (1, 2))
        self.image = len(self.shapes[self.inputs[0]]) == 4
        self.arrays, self.ops = {}, []
        for operator in graph.tables(3):
            self._convert(operator)

    def graph(self):
        return {"inputs": self.inputs, "outputs": self.outputs, "ops": self.ops}

    def _ref(self, index, change=None):
        """Reference to a value, or to a constant (stored on first use, after `change`)."""
        if index not in self.constants:
            return index
        name = f"t{index}"
        array = self.constants[index]
        self.arrays[name] = np.ascontiguousarray(change(array) if change else array)
        return name

    def _ints(self, index):
        return [int(v) for v in self.constants[index].reshape(-1)]

    def _emit(self, op, refs, out, activation=0, **rest):
        item = {"op": op, "in": refs, "out": out, **rest}
        if ACTIVATIONS[activation]:
            item["act"] = ACTIVATIONS[activation]
        self.ops.append(item)

    def _convert(self, operator):
        code = self.codes[operator.scalar(0, "I")]
        if code not in OPERATORS:
            raise ValueError(f"operator number {code} is not supported")
        name = OPERATORS[code]
        inputs, out = [int(v) for v in operator.array(1)], int(operator.array(2)[0])
        options = operator.table(4)
        if name == "DEQUANTIZE":  # half precision storage only: the constant stands for itself
            self.constants[out] = self.constants[inputs[0]]
        elif name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            self._convolution(name, inputs, out, options)
        elif name in ELEMENTWISE:
            activation = options.scalar(0, "b") if name in ("ADD", "SUB", "MUL", "DIV") and options else 0
            self._emit(ELEMENTWISE[name], [self._ref(i) for i in inputs], out, activation)
        elif name == "PRELU":  # slopes [1, 1, C], one per channel
            self._emit("prelu", [self._ref(inputs[0]), self._ref(inputs[1], lambda a: a.reshape(-1))], out)
        elif name == "MAX_POOL_2D":
            kernel, stride = [options.scalar(4), options.scalar(3)], [options.scalar(2), options.scalar(1)]
            pad = self._padding(options.scalar(0, "b"), inputs[0], kernel, stride)
            self._emit("maxpool", inputs, out, kernel=kernel, stride=stride, pad=pad)
        else:
            self._shape_operator(name, inputs, out, options)

    def _padding(self, mode, source, kernel, stride):
        """[left, right, top, bottom] for torch's pad; mode 0 is SAME, 1 is VALID."""
        if mode == 1:
            return [0, 0, 0, 0]
        _, height, width, _ = self.shapes[source]
        return [*same_padding(width, kernel[1], stride[1]), *same_padding(height, kernel[0], stride[0])]

    def _convolution(self, name, inputs, out, options):
        depthwise = name != "CONV_2D"
        stride = [options.scalar(2), options.scalar(1)]
        activation = options.scalar(4 if depthwise else 3, "b")
        if {options.scalar(f, "i", 1) for f in ((5, 6) if depthwise else (4, 5))} != {1}:
            raise ValueError("dilated convolutions are not supported")
        kernel = self.shapes[inputs[1]][1:3]
        bias = self._ref(inputs[2])
        if self.image:
            order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
            weight = self._ref(inputs[1], lambda a: a.transpose(order))
            pad = self._padding(options.scalar(0, "b"), inputs[0], kernel, stride)
            groups = self.shapes[inputs[0]][3] if depthwise else 1
            self._emit("conv", [inputs[0], weight, bias], out, activation, stride=stride, pad=pad, groups=groups)
        elif kernel == [1, 1] and stride == [1, 1] and not depthwise:
            weight = self._ref(inputs[1], lambda a: a[:, 0, 0])
            self._emit("linear", [inputs[0], weight, bias], out, activation)
        else:
            raise ValueError("only 1x1 convolutions are supported outside image networks")

    def _shape_operator(self, name, inputs, out, options):
        """Operators on axes. Axis 0 is the batch: kept free, whatever size the file has there."""
        source = inputs[0]
        if name == "RESHAPE":
            last = self.image and len(self.shapes[source]) == 4  # the file's order is channels last
            self._emit("reshape", [source], out, shape=[-1, *self.shapes[out][1:]], channels_last=last)
        elif name == "PAD":
            pairs = self.constants[inputs[1]].tolist()
            order = (2, 1, 3, 0) if self.image else range(len(pairs) - 1, -1, -1)  # W, H, C, B
            self._emit("pad", [source], out, pad=[int(v) for axis in order for v in pairs[axis]])
        elif name == "CONCATENATION":
            axis = options.scalar(0)
            if self.image and len(self.shapes[out]) == 4:
                axis = (0, 2, 3, 1)[axis]
            self._emit("cat", [self._ref(i) for i in inputs], out, axis=axis)
        elif self.image:
            raise ValueError(f"{name} is not supported in image networks")
        elif name in ("MEAN", "SUM"):
            self._emit(name.lower(), [source], out, axes=self._ints(inputs[1]), keep=bool(options.scalar(0, "B")))
        elif name == "TRANSPOSE":
            self._emit("permute", [source], out, order=self._ints(inputs[1]))
        elif name == "STRIDED_SLICE":
            self._emit("slice", [source], out, ranges=self._ranges(inputs, options))

    def _ranges(self, inputs, options):
        """[begin, end, step] per axis after the batch axis; no axis is dropped there in the nets we read."""
        begin, end, step = (self._ints(i) for i in inputs[1:4])
        begin_mask, end_mask, shrink = options.scalar(0), options.scalar(1), options.scalar(4)
        if shrink & ~1:
            raise ValueError("a slice that drops an axis is not supported")
        return [
            [None if begin_mask >> d & 1 else begin[d], None if end_mask >> d & 1 else end[d], step[d]]
            for d in range(1, len(begin))
        ]


def _varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def protobuf_fields(data):
    """Yields (field number, value) of a protobuf message: int, 4 or 8 raw bytes, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 2, 5):
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"protobuf wire type {kind} is not supported")
        yield key >> 3, value


def canonical_mesh(data):
    """FaceGeometry metadata -> vertices [468,3] float32 (cm, y up, z to the viewer), triangles [898,3] int32."""
    mesh = next(value for field, value in protobuf_fields(data) if field == 1)
    fields = list(protobuf_fields(mesh))
    floats = np.frombuffer(b"".join(v for f, v in fields if f == 3), "<f4").reshape(-1, 5)  # x, y, z, u, v
    triangles = np.array([v for f, v in fields if f == 4], np.int32).reshape(-1, 3)
    check_disk(triangles, len(floats))
    return floats[:, :3].astype(np.float32), triangles


def check_disk(triangles, points):
    """Raises unless the triangles form one surface with the topology of a disk.

    Every edge has one or two triangles, V - E + F = 1, and the edges with one triangle close into a single ring.
    Returns the ring's point indices in order.
    """
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    edges, counts = np.unique(edges, axis=0, return_counts=True)
    used = len(np.unique(triangles))
    border = edges[counts == 1]
    if used != points or counts.max() > 2 or used - len(edges) + len(triangles) != 1:
        raise ValueError("the canonical mesh is not a disk")
    ring, left = [int(border[0, 0]), int(border[0, 1])], [tuple(map(int, e)) for e in border[1:]]
    while left:
        follow = next((e for e in left if ring[-1] in e), None)
        if follow is None:
            raise ValueError("the border of the canonical mesh is not one ring")
        left.remove(follow)
        ring.append(follow[0] if follow[1] == ring[-1] else follow[1])
    return ring[:-1]


def convert_task(task):
    """Bytes of face_landmarker.task -> (arrays: name -> ndarray, graphs: net -> operator list)."""
    arrays, graphs = {}, {}
    with zipfile.ZipFile(io.BytesIO(task)) as archive:
        for net, member in MEMBERS.items():
            model = Model(archive.read(member))
            graphs[net] = model.graph()
            arrays.update({f"{net}.{name}": array for name, array in model.arrays.items()})
        arrays["mesh.vertices"], arrays["mesh.triangles"] = canonical_mesh(archive.read(GEOMETRY))
    return arrays, graphs
