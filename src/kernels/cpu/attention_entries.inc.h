// The attention of kernels/cpu/functions.h. Included inside the namespace of an instruction set.

void attention(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin, int64_t row_end,
               int64_t head_begin, int64_t head_end, std::byte* scratch) {
  attention_body(shape, slice, row_begin, row_end, head_begin, head_end, scratch);
}

void attention_segment(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin,
                       int64_t row_end, int64_t head_begin, int64_t head_end, int64_t segment,
                       int64_t segments, float* partial, std::byte* scratch) {
  attention_segment_body(shape, slice, row_begin, row_end, head_begin, head_end, segment, segments, partial,
                         scratch);
}

void merge_attention(const AttentionShape& shape, const AttentionSlice& slice, int64_t row, int64_t head,
                     int64_t segments, float* partial) {
  merge_attention_body(shape, slice, row, head, segments, partial);
}
