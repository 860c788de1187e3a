// report.html, report.md and report.json of a pipeline: what each stage left, curves of its training, and answers before and after.
#pragma once

#include "cli/pipeline/pipeline.h"

namespace r1::cli {

/// Of the stages that are done. Each file is replaced as a whole. Throws Error(io, bad_file).
void write_pipeline_report(const Recipe& recipe, const PipelineFolder& folder);

}  // namespace r1::cli
