// The training kernels of an instruction set, included inside its namespace.

const TrainingKernels training = {
    .product = product_body,
    .round_rows = round_rows_body,
    .integer_product = integer_product_body,
    .rms_norm_backward = rms_norm_backward_body,
    .swiglu_backward = swiglu_backward_body,
    .exponentials = exponentials_body,
    .softmax_backward = softmax_backward_body,
    .log_sum_exp = log_sum_exp_body,
    .dot = dot_body,
    .scale = scale_body,
    .adam = adam_body,
};
