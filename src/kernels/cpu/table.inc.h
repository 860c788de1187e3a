// The table of an instruction set, included inside its namespace after kName.

const KernelTable table = {
    .name = kName,
    .quantise_rows = quantise_rows,
    .matmul_quantised = matmul_quantised,
    .matmul_float = matmul_float,
    .matmul_transposed = matmul_transposed,
    .attention = attention,
    .attention_segment = attention_segment,
    .merge_attention = merge_attention,
    .rms_norm = rms_norm,
    .swiglu = swiglu,
    .add = add,
    .add_scaled = add_scaled,
    .store_row = store_row,
    .multiply_peak = multiply_peak,
    .read_peak = read_peak,
    .training = &training,
};
