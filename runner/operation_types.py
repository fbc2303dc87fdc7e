"""The operation types that descriptors may name: a misspelt one is told without OpenVINO."""

from __future__ import annotations

from quant.target import DEPTHWISE, EMBEDDING

_OF_OPENVINO = """
    Abs Acos Acosh AdaptiveAvgPool AdaptiveMaxPool Add Asin Asinh Assign Atan Atanh AvgPool
    BatchNormInference BatchToSpace BinaryConvolution BitwiseAnd BitwiseLeftShift BitwiseNot
    BitwiseOr BitwiseRightShift BitwiseXor Broadcast Bucketize CTCGreedyDecoder
    CTCGreedyDecoderSeqLen CTCLoss Ceiling Clamp Col2Im Concat Constant Convert ConvertLike
    ConvertPromoteTypes Convolution ConvolutionBackpropData Cos Cosh CumSum DFT
    DeformableConvolution DeformablePSROIPooling DepthToSpace DetectionOutput Divide Einsum Elu
    EmbeddingBagOffsets EmbeddingBagOffsetsSum EmbeddingBagPacked EmbeddingBagPackedSum
    EmbeddingSegmentsSum Equal Erf ErfInv Exp ExtractImagePatches Eye FakeConvert FakeQuantize
    Floor FloorMod GRN GRUCell GRUSequence Gather GatherElements GatherND GatherTree Gelu
    GenerateProposals Greater GreaterEqual GridSample GroupConvolution
    GroupConvolutionBackpropData GroupNormalization GroupedMatMul HSigmoid HSwish HardSigmoid
    I420toBGR I420toRGB IDFT IRDFT ISTFT Identity If Interpolate Inverse IsFinite IsInf IsNaN
    LRN LSTMCell LSTMSequence Less LessEqual Log LogSoftmax LogicalAnd LogicalNot LogicalOr
    LogicalXor Loop MVN MatMul MatrixNms MaxPool Maximum Minimum Mish Mod MulticlassNms
    Multinomial Multiply NMSRotated NV12toBGR NV12toRGB Negative NonMaxSuppression NonZero
    NormalizeL2 NotEqual OneHot PRelu PSROIPooling Pad Parameter Power PriorBox
    PriorBoxClustered Proposal RDFT RNNCell RNNSequence ROIAlign ROIAlignRotated ROIPooling
    RandomUniform Range ReadValue ReduceL1 ReduceL2 ReduceLogicalAnd ReduceLogicalOr ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum RegionYolo Relu ReorgYolo Reshape Result
    ReverseSequence Roll Round STFT ScaledDotProductAttention ScatterElementsUpdate
    ScatterNDUpdate ScatterUpdate SearchSorted SegmentMax Select Selu ShapeOf ShuffleChannels
    Sigmoid Sign Sin Sinh Slice SliceScatter SoftPlus SoftSign Softmax SpaceToBatch SpaceToDepth
    SparseFillEmptyRows Split Sqrt SquaredDifference Squeeze StridedSlice StringTensorPack
    StringTensorUnpack Subtract Swish Tan Tanh TensorIterator Tile TopK Transpose Unique
    Unsqueeze VariadicSplit
"""
"""Those of OpenVINO's operation sets (2026.4)."""

OURS = frozenset({DEPTHWISE, EMBEDDING})
"""Those of descriptors alone."""

OPERATION_TYPES = OURS.union(_OF_OPENVINO.split())
