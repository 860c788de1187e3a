// What tests of the engine share: a context, a fake model, a place for answers.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "engine/engine.h"
#include "tests/engine/fake_model.h"

namespace r1 {

struct EngineFixture {
  ThreadPool pool{2};
  const kernels::KernelTable& table = kernels::select_kernels();
  Context context{pool, table, Arithmetic::exact};
  std::shared_ptr<FakeModel> model = std::make_shared<FakeModel>();

  EngineOptions options(int64_t blocks) const {
    EngineOptions result;
    result.key_dtype = DType::f32;
    result.value_dtype = DType::f32;
    result.kv_bytes =
        blocks * static_cast<int64_t>(KvCache::block_bytes(model->kv_layers(), DType::f32, DType::f32));
    return result;
  }
};

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<SampledToken> sampled;
  std::optional<RequestSummary> summary;
};

inline RequestId submit(Engine& engine, Request request, Answer& answer) {
  request.on_token = [&answer](const SampledToken& token) {
    answer.tokens.push_back(token.token);
    answer.sampled.push_back(token);
    return true;
  };
  request.on_finish = [&answer](const RequestSummary& summary) {
    EXPECT_FALSE(answer.summary.has_value()) << "finished twice";
    answer.summary = summary;
  };
  return engine.submit(std::move(request));
}

}  // namespace r1
