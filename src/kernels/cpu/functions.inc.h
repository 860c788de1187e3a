// The functions every instruction set defines (kernels.h says what each does). Included inside a namespace.
extern const KernelTable table;
extern const TrainingKernels training;  // kernels/training.h

void quantise_rows(const float* x, int64_t rows, int64_t columns, int64_t stride, const QuantisedRows& out);
void matmul_quantised(const WeightMatrix& w, int64_t output_begin, int64_t output_end, const QuantisedRows& x,
                      int64_t rows, float* y, int64_t y_stride, std::byte* scratch);
void matmul_float(const WeightMatrix& w, int64_t output_begin, int64_t output_end, const float* x,
                  int64_t x_stride, int64_t rows, float* y, int64_t y_stride, std::byte* scratch);
void matmul_transposed(const WeightMatrix& w, int64_t row_begin, int64_t row_count, const float* x,
                       int64_t x_stride, int64_t rows, float* y, int64_t y_stride, std::byte* scratch);
void attention(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin, int64_t row_end,
               int64_t head_begin, int64_t head_end, std::byte* scratch);
void attention_segment(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin,
                       int64_t row_end, int64_t head_begin, int64_t head_end, int64_t segment,
                       int64_t segments, float* partial, std::byte* scratch);
void merge_attention(const AttentionShape& shape, const AttentionSlice& slice, int64_t row, int64_t head,
                     int64_t segments, float* partial);
void rms_norm(const float* x, const float* weight, int64_t columns, float epsilon, float* out);
void swiglu(const float* gate, const float* up, int64_t count, float* out);
void add(float* x, const float* y, int64_t count);
void add_scaled(float* x, const float* y, float factor, int64_t count);
void store_row(DType dtype, const float* x, int64_t count, std::byte* out);
int64_t multiply_peak(int64_t rounds);
uint64_t read_peak(const uint64_t* data, size_t words);
