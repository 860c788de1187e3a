#include "engine/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "base/error.h"
#include "base/random.h"
#include "kernels/training.h"
#include "nn/log_probability.h"

namespace r1 {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  std::vector<float> logits;
  SamplingOptions options;
  std::vector<int32_t> context;
  int64_t prompt_tokens = 0;
  std::vector<uint64_t> allowed;
};

/// The plain version: double, sorted lists, brute force. `sure` becomes false where rounding could decide.
struct Reference {
  std::vector<double> probabilities;
  bool sure = true;
};

int64_t common_suffix(std::span<const int32_t> text, int64_t end) {
  int64_t length = 0;
  while (length < end && text[end - 1 - length] == text[text.size() - 1 - length]) ++length;
  return length;
}

std::vector<double> reference_logits(const Case& test) {
  const SamplingOptions& options = test.options;
  const int64_t size = std::ssize(test.logits);
  std::vector<double> logits(test.logits.begin(), test.logits.end());
  for (auto [token, bias] : options.logit_bias)
    logits[token] = bias <= -100 ? -kInfinity : logits[token] + bias;
  for (int64_t token = 0; token < size && !test.allowed.empty(); ++token) {
    if (((test.allowed[token / 64] >> (token % 64)) & 1) == 0) logits[token] = -kInfinity;
  }
  const int64_t length = std::ssize(test.context);
  for (int64_t token = 0; token < size; ++token) {
    const int64_t window =
        options.penalty_window < 0 ? length : std::min<int64_t>(length, options.penalty_window);
    const auto seen = std::count(test.context.end() - window, test.context.end(), token);
    if (seen > 0) {
      logits[token] = logits[token] > 0 ? logits[token] / options.repetition_penalty
                                        : logits[token] * options.repetition_penalty;
    }
    const auto said = std::count(test.context.begin() + test.prompt_tokens, test.context.end(), token);
    if (said > 0)
      logits[token] -= options.frequency_penalty * static_cast<double>(said) + options.presence_penalty;
  }
  if (options.dry_multiplier > 0) {
    std::vector<int32_t> text = test.context;
    if (options.dry_window >= 0 && options.dry_window < length)
      text.erase(text.begin(), text.end() - options.dry_window);
    const int64_t end = std::ssize(text);
    int64_t limit = end;
    for (int64_t start = end - 1; start >= 0 && limit == end; --start) {
      for (const auto& breaker : options.dry_breakers) {
        const int64_t count = std::ssize(breaker);
        if (start + count <= end && std::equal(breaker.begin(), breaker.end(), text.begin() + start)) {
          limit = std::min(limit, end - start - count);
        }
      }
    }
    std::map<int32_t, int64_t> longest;
    for (int64_t position = 1; position < end; ++position) {
      const int64_t match = std::min(limit, common_suffix(text, position));
      if (match >= options.dry_allowed_length) {
        longest[text[position]] = std::max(longest[text[position]], match);
      }
    }
    for (auto [token, match] : longest) {
      if (std::ranges::count(options.dry_breakers, std::vector<int32_t>{token}) > 0) continue;
      logits[token] -=
          options.dry_multiplier * std::pow(options.dry_base, match - options.dry_allowed_length);
    }
  }
  return logits;
}

Reference reference(const Case& test) {
  const SamplingOptions& options = test.options;
  const std::vector<double> logits = reference_logits(test);
  const double largest = *std::ranges::max_element(logits);
  Reference result;
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  std::vector<double> weights(logits.size());
  for (size_t token = 0; token < logits.size(); ++token) {
    weights[token] = std::exp((logits[token] - largest) / options.temperature);
  }
  const auto close = [&](double a, double b) {
    if (std::abs(a - b) < 1e-5 * std::abs(b)) result.sure = false;
  };
  const auto total = [&] {
    double sum = 0;
    for (int32_t token : order) sum += weights[token];
    return sum;
  };
  const auto keep_share = [&](double share) {
    const double target = share * total();
    double sum = 0;
    for (size_t kept = 0; kept < order.size(); ++kept) {
      sum += weights[order[kept]];
      close(sum, target);
      if (sum >= target) {
        order.resize(kept + 1);
        break;
      }
    }
  };
  const auto check_tie = [&](size_t index, const auto& key) {
    if (index > 0 && index < order.size()) {
      const double a = key(order[index - 1]);
      const double b = key(order[index]);
      if (a != b && std::abs(a - b) < 1e-5) result.sure = false;
    }
  };
  if (options.top_k > 0 && options.top_k < std::ssize(order)) {
    check_tie(options.top_k, [&](int32_t token) { return logits[token]; });
    order.resize(options.top_k);
  }
  if (options.typical_p < 1) {
    const double sum = total();
    double entropy = 0;
    for (int32_t token : order) {
      if (weights[token] > 0) entropy -= weights[token] / sum * std::log(weights[token] / sum);
    }
    const auto key = [&](int32_t token) { return std::abs(-std::log(weights[token] / sum) - entropy); };
    std::ranges::sort(order);
    std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return key(a) < key(b); });
    for (size_t index = 1; index < order.size(); ++index) {
      if (logits[order[index]] != logits[order[index - 1]]) check_tie(index, key);
    }
    keep_share(options.typical_p);
    std::ranges::sort(order);
    std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  }
  if (options.top_p < 1) keep_share(options.top_p);
  if (options.min_p > 0) {
    double most = 0;
    for (int32_t token : order) most = std::max(most, weights[token]);
    for (int32_t token : order) close(weights[token], options.min_p * most);
    std::erase_if(order, [&](int32_t token) { return weights[token] < options.min_p * most; });
  }
  result.probabilities.assign(logits.size(), 0);
  const double sum = total();
  for (int32_t token : order) result.probabilities[token] = weights[token] / sum;
  return result;
}

/// What the draw for `seed` and `position` gives; nothing where rounding could decide.
std::optional<int32_t> reference_draw(const Reference& distribution, uint64_t seed, int64_t position) {
  const double uniform = random_uniform(seed, static_cast<uint64_t>(position));
  double sum = 0;
  for (size_t token = 0; token < distribution.probabilities.size(); ++token) {
    sum += distribution.probabilities[token];
    if (std::abs(sum - uniform) < 1e-5) return std::nullopt;
    if (sum > uniform) return static_cast<int32_t>(token);
  }
  return std::nullopt;
}

std::vector<float> random_logits(std::mt19937_64& random, int64_t size, double deviation) {
  std::normal_distribution<float> normal(0, static_cast<float>(deviation));
  std::vector<float> logits(size);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

Case random_case(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  const auto real = [&](double low, double high) {
    return static_cast<float>(std::uniform_real_distribution<double>(low, high)(random));
  };
  Case test;
  const int64_t size = pick(1, 400);
  test.logits = random_logits(random, size, real(0.3, 5));
  if (pick(0, 3) == 0) {
    for (float& logit : test.logits) logit = std::round(logit);  // many ties
  }
  for (int64_t count = pick(0, 80); count > 0; --count) {
    test.context.push_back(static_cast<int32_t>(pick(0, std::min<int64_t>(size - 1, 6))));
  }
  test.prompt_tokens = pick(0, std::ssize(test.context));
  SamplingOptions& options = test.options;
  options.temperature = real(0.2, 2);
  options.top_p = pick(0, 2) == 0 ? 1 : real(0.1, 0.999);
  if (pick(0, 2) == 0) options.top_k = static_cast<int32_t>(pick(1, size + 5));
  if (pick(0, 2) == 0) options.min_p = real(0.001, 0.5);
  if (pick(0, 2) == 0) options.typical_p = real(0.1, 0.99);
  if (pick(0, 2) == 0) {
    options.repetition_penalty = real(0.7, 1.8);
    options.penalty_window = static_cast<int32_t>(pick(-1, 40));
  }
  if (pick(0, 2) == 0) options.presence_penalty = real(-2, 2);
  if (pick(0, 2) == 0) options.frequency_penalty = real(-1, 1);
  if (pick(0, 1) == 0) {
    options.dry_multiplier = real(0.1, 2);
    options.dry_base = real(1, 2);
    options.dry_allowed_length = static_cast<int32_t>(pick(1, 4));
    options.dry_window = pick(0, 1) == 0 ? -1 : static_cast<int32_t>(pick(1, 60));
    if (pick(0, 1) == 0 && size > 6) options.dry_breakers = {{5}, {3, 4}};
  }
  if (pick(0, 3) == 0) options.logit_bias = {{static_cast<int32_t>(pick(0, size - 1)), real(-5, 5)}};
  if (pick(0, 3) == 0 && size > 1) options.logit_bias[0] = -100;
  if (pick(0, 3) == 0) {
    test.allowed.assign((size + 63) / 64, 0);
    for (int64_t token = 0; token < size; ++token) {
      if (pick(0, 1) == 0 || token == size - 1) test.allowed[token / 64] |= uint64_t{1} << (token % 64);
    }
  }
  return test;
}

int32_t sample(Sampler& sampler, const Case& test, int64_t position) {
  return sampler.sample(test.logits, test.options, test.context, test.prompt_tokens, position, test.allowed)
      .token;
}

TEST(SamplingTest, DrawsWhatThePlainReferenceDraws) {
  Sampler sampler(kernels::select_kernels());
  int64_t compared = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Case test = random_case(seed);
    const SamplingOptions& o = test.options;
    SCOPED_TRACE(testing::Message() << "case " << seed << ": vocabulary " << test.logits.size()
                                    << " temperature " << o.temperature << " top-k " << o.top_k << " top-p "
                                    << o.top_p << " min-p " << o.min_p << " typical-p " << o.typical_p
                                    << " repetition " << o.repetition_penalty << " DRY " << o.dry_multiplier);
    const Reference expected = reference(test);
    if (!expected.sure) continue;
    for (int64_t position = 0; position < 20; ++position) {
      test.options.seed = seed;
      const std::optional<int32_t> token = reference_draw(expected, seed, position);
      if (!token) continue;
      ASSERT_EQ(sample(sampler, test, position), *token) << "position " << position;
      ++compared;
    }
  }
  EXPECT_GT(compared, 30000);
}

TEST(SamplingTest, FollowsTheDistribution) {
  // Pearson's chi-square against the exact probabilities; 0.999 quantile by Wilson and Hilferty.
  Sampler sampler(kernels::select_kernels());
  int tested = 0;
  for (uint64_t seed = 10000; tested < 8; ++seed) {
    Case test = random_case(seed);
    const Reference expected = reference(test);
    if (!expected.sure || std::ranges::count_if(expected.probabilities, [](double p) { return p > 0; }) < 5)
      continue;
    ++tested;
    constexpr int64_t kDraws = 20000;
    std::vector<int64_t> counts(test.logits.size(), 0);
    for (int64_t draw = 0; draw < kDraws; ++draw) {
      test.options.seed = 77 + static_cast<uint64_t>(draw);  // neighbouring seeds must be independent, too
      ++counts[sample(sampler, test, 5)];
    }
    double statistic = 0, rest = 0, rest_count = 0;
    int64_t cells = 0;
    for (size_t token = 0; token < counts.size(); ++token) {
      const double mean = expected.probabilities[token] * kDraws;
      if (mean == 0) {
        ASSERT_EQ(counts[token], 0) << "token " << token;
      }
      if (mean < 10) {
        rest += mean;
        rest_count += static_cast<double>(counts[token]);
        continue;
      }
      statistic +=
          (static_cast<double>(counts[token]) - mean) * (static_cast<double>(counts[token]) - mean) / mean;
      ++cells;
    }
    if (rest >= 10) {
      statistic += (rest_count - rest) * (rest_count - rest) / rest;
      ++cells;
    }
    const auto freedom = static_cast<double>(std::max<int64_t>(1, cells - 1));
    const double bound = freedom * std::pow(1 - 2 / (9 * freedom) + 3.09 * std::sqrt(2 / (9 * freedom)), 3);
    EXPECT_LT(statistic, bound) << "seed " << seed << ", " << cells << " cells";
  }
}

TEST(SamplingTest, AgreesWithTheReferenceOnALargeVocabulary) {
  Sampler sampler(kernels::select_kernels());
  for (double deviation : {0.5, 3.0, 6.0}) {
    std::mt19937_64 random(5);
    Case test;
    test.logits = random_logits(random, 151936, deviation);
    for (int variant = 0; variant < 5; ++variant) {
      test.options = {};
      if (variant == 1) test.options.top_k = 40;
      if (variant == 2) test.options.typical_p = 0.7F;
      if (variant == 3) test.options.min_p = 0.05F;
      if (variant == 4) test.options.top_p = 1;
      const Reference expected = reference(test);
      for (int64_t position = 0; position < 40; ++position) {
        const std::optional<int32_t> token = reference_draw(expected, 0, position);
        if (!token) continue;
        EXPECT_EQ(sample(sampler, test, position), *token) << deviation << " " << variant;
      }
    }
  }
}

TEST(SamplingTest, GreedyTakesTheLowestOfEquals) {
  Sampler sampler(kernels::select_kernels());
  Case test;
  test.logits = {1, 3, 2, 3, 3};
  test.options.temperature = 0;
  EXPECT_EQ(sample(sampler, test, 0), 1);
  test.options.logit_bias = {{1, -100.0F}};
  EXPECT_EQ(sample(sampler, test, 0), 3);
}

TEST(SamplingTest, ABiasOfMinus100Forbids) {
  Sampler sampler(kernels::select_kernels());
  Case test;
  test.logits = {1, 500, 2, 0};  // 100 less would still be the likeliest
  for (const float bias : {-100.0F, -1000.0F}) {
    test.options.logit_bias = {{1, bias}};
    for (const float temperature : {0.0F, 1.0F, 100.0F}) {
      test.options.temperature = temperature;
      for (int64_t position = 0; position < 20; ++position) EXPECT_NE(sample(sampler, test, position), 1);
    }
  }
  test.options.logit_bias = {{1, -99.0F}};
  EXPECT_EQ(sample(sampler, test, 0), 1) << "any other bias is added";
}

TEST(SamplingTest, TopKOfOneTakesTheLowestOfEquals) {
  Sampler sampler(kernels::select_kernels());
  Case test;
  test.logits.assign(1000, 0.5F);
  test.logits[700] = test.logits[900] = 2;
  test.options.top_k = 1;
  for (int64_t position = 0; position < 50; ++position) EXPECT_EQ(sample(sampler, test, position), 700);
}

TEST(SamplingTest, TypicalAfterTopKSurvivesForbiddenTokens) {
  // Tokens of probability 0 among the k likeliest once made the entropy not a number.
  Sampler sampler(kernels::select_kernels());
  Case test;
  test.logits = {3, 0, 3, 3};
  test.allowed = {0b0011};
  test.options.top_k = 3;
  test.options.typical_p = 0.5F;
  for (int64_t position = 0; position < 50; ++position) EXPECT_EQ(sample(sampler, test, position), 0);
}

TEST(SamplingTest, SurvivesExtremeOptions) {
  Sampler sampler(kernels::select_kernels());
  Case test;
  test.logits = {-1e30F, 5, 1e30F, -std::numeric_limits<float>::infinity()};
  test.options.temperature = 1e-38F;
  EXPECT_EQ(sample(sampler, test, 0), 2);
  test.options.top_p = 0;
  test.options.typical_p = 0;
  test.options.min_p = 1;
  EXPECT_EQ(sample(sampler, test, 0), 2);
}

TEST(SamplingTest, LogProbabilitiesAreTheModelsOwn) {
  Sampler sampler(kernels::select_kernels());
  std::mt19937_64 random(3);
  Case test;
  test.logits = random_logits(random, 3000, 2);
  test.options.temperature = 0.1F;
  test.options.top_k = 1;
  test.options.repetition_penalty = 5;
  test.context = {1, 2, 3};
  test.options.top_log_probabilities = 5;
  const SampledToken sampled = sampler.sample(test.logits, test.options, test.context, 0, 3);
  double sum = 0;
  for (float logit : test.logits) sum += std::exp(static_cast<double>(logit));
  std::vector<int32_t> order(test.logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return test.logits[a] > test.logits[b]; });
  ASSERT_EQ(sampled.top.size(), 5U);
  for (size_t rank = 0; rank < 5; ++rank) {
    EXPECT_EQ(sampled.top[rank].token, order[rank]);
    EXPECT_NEAR(sampled.top[rank].log_probability, test.logits[order[rank]] - std::log(sum), 2e-6);
  }
  ASSERT_TRUE(sampled.chosen.has_value());
  EXPECT_EQ(sampled.chosen->token, sampled.token);
  EXPECT_NEAR(sampled.chosen->log_probability, test.logits[sampled.token] - std::log(sum), 2e-6);
}

TEST(SamplingTest, LogProbabilitiesAreTheBitsOfTheTrainingKernels) {
  for (const kernels::InstructionSet set :
       {kernels::InstructionSet::scalar, kernels::InstructionSet::avx2, kernels::InstructionSet::avx512}) {
    if (!kernels::is_supported(set)) continue;
    const kernels::KernelTable& table = kernels::select_kernels(set);
    Sampler sampler(table);
    for (const int64_t size : {1, 15, 16, 97, 3000, 151936}) {
      std::mt19937_64 random(size);
      Case test;
      test.logits = random_logits(random, size, 4);
      test.options.top_log_probabilities = static_cast<int32_t>(std::min<int64_t>(size, 7));
      for (const float temperature : {0.0F, 0.7F}) {
        test.options.temperature = temperature;
        const SampledToken sampled = sampler.sample(test.logits, test.options, {}, 0, 3);
        std::vector<TokenProbability> reported = sampled.top;
        ASSERT_EQ(std::ssize(reported), test.options.top_log_probabilities);
        reported.push_back(*sampled.chosen);
        for (const TokenProbability& each : reported) {
          const kernels::SoftmaxRow row =
              table.training->log_sum_exp(test.logits.data(), 1.0F, size, each.token);
          EXPECT_EQ(each.log_probability, row.target_logit - row.log_sum) << table.name << " " << size;
        }
      }
    }
  }
}

TEST(SamplingTest, TheSampledLogProbabilityIsOfTheDistributionThatWasDrawnFrom) {
  Sampler sampler(kernels::select_kernels());
  int64_t compared = 0, cut = 0;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(testing::Message() << "case " << seed);
    Case test = random_case(seed);
    test.options.seed = seed;
    if (seed % 4 == 0) {  // temperature and penalties alone
      test.options.top_k = 0;
      test.options.top_p = test.options.typical_p = 1;
      test.options.min_p = 0;
    }
    const Reference expected = reference(test);
    if (!expected.sure) continue;
    for (int64_t position = 0; position < 4; ++position) {
      test.options.sampled_log_probability = true;
      const SampledToken sampled =
          sampler.sample(test.logits, test.options, test.context, test.prompt_tokens, position, test.allowed);
      EXPECT_FALSE(sampled.chosen.has_value());
      ASSERT_TRUE(sampled.sampled_log_probability.has_value());
      EXPECT_NEAR(*sampled.sampled_log_probability, std::log(expected.probabilities[sampled.token]), 2e-5);
      std::vector<int32_t> kept;
      for (size_t token = 0; token < expected.probabilities.size(); ++token) {
        if (expected.probabilities[token] > 0) kept.push_back(static_cast<int32_t>(token));
      }
      if (seed % 4 == 0) {
        EXPECT_TRUE(sampled.kept.empty());
      } else if (!sampled.kept.empty()) {
        EXPECT_EQ(sampled.kept, kept);
        ++cut;
      }
      ++compared;
      test.options.sampled_log_probability = false;
      const SampledToken plain =
          sampler.sample(test.logits, test.options, test.context, test.prompt_tokens, position, test.allowed);
      EXPECT_EQ(plain.token, sampled.token) << "the draw is the same";
      EXPECT_FALSE(plain.sampled_log_probability.has_value());
      EXPECT_TRUE(plain.kept.empty());
    }
  }
  EXPECT_GT(compared, 3000);
  EXPECT_GT(cut, 2000);
}

TEST(SamplingTest, ATrainerCanRecomputeTheSampledLogProbability) {
  const kernels::KernelTable& table = kernels::select_kernels();
  Sampler sampler(table);
  std::mt19937_64 random(8);
  Case test;
  test.logits = random_logits(random, 5000, 3);
  test.options.sampled_log_probability = true;
  std::vector<float> scratch;
  for (const float top_p : {1.0F, 0.9F}) {
    test.options.temperature = 0.7F;
    test.options.top_p = top_p;
    for (int64_t position = 0; position < 20; ++position) {
      const SampledToken sampled = sampler.sample(test.logits, test.options, {}, 0, position);
      const LogSoftmax softmax = top_p == 1 ? log_softmax(table, test.logits, 0.7F)
                                            : log_softmax(table, test.logits, sampled.kept, 0.7F, scratch);
      EXPECT_EQ(*sampled.sampled_log_probability, softmax(test.logits[sampled.token]));
    }
  }
}

TEST(SamplingTest, WithoutAChoiceTheSampledLogProbabilityIsZero) {
  Sampler sampler(kernels::select_kernels());
  Case test;
  test.logits = {1, 3, 2};
  test.options.sampled_log_probability = true;
  test.options.top_log_probabilities = 0;
  const SampledToken forced = sampler.describe_forced(test.logits, test.options, 2, 5);
  EXPECT_TRUE(forced.forced);
  EXPECT_EQ(forced.token, 2);
  EXPECT_EQ(forced.sampled_log_probability, 0.0F);
  EXPECT_NEAR(forced.chosen->log_probability, -1.4076059, 1e-6);
  test.options.temperature = 0;
  const SampledToken greedy = sampler.sample(test.logits, test.options, {}, 0, 5);
  EXPECT_FALSE(greedy.forced);
  EXPECT_EQ(greedy.sampled_log_probability, 0.0F);
  EXPECT_NEAR(greedy.chosen->log_probability, -0.4076059, 1e-6);
}

TEST(SamplingTest, RowsThatAreNoTokensAreNeverDrawn) {
  int64_t drawn = 0, refused = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(testing::Message() << "case " << seed);
    Case test = random_case(seed);
    const int64_t size = std::ssize(test.logits);
    std::mt19937_64 random(seed);
    KnownTokens known;
    known.limit = std::uniform_int_distribution<int64_t>(1, size)(random);
    for (int32_t token = 0; token + 1 < known.limit; ++token) {
      if (random() % 3 == 0) known.holes.push_back(token);
    }
    // The unknown rows are the likeliest; the prompt has them, and a bias speaks for them.
    for (int32_t token = 0; token < size; ++token) {
      if (known.contains(token)) continue;
      test.logits[token] += 10;
      test.options.logit_bias.try_emplace(token, 5.0F);
      test.context.insert(test.context.begin(), token);
      ++test.prompt_tokens;
    }
    test.options.seed = seed;
    test.options.top_log_probabilities = static_cast<int32_t>(std::min<int64_t>(size, 5));
    Sampler sampler(kernels::select_kernels(), known);
    for (int64_t position = 0; position < 5; ++position) {
      if (position == 4) test.options.temperature = 0;
      SampledToken sampled;
      try {
        sampled = sampler.sample(test.logits, test.options, test.context, test.prompt_tokens, position,
                                 test.allowed);
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("no token is allowed"), std::string::npos) << error.what();
        ++refused;
        continue;
      }
      ++drawn;
      ASSERT_TRUE(known.contains(sampled.token)) << sampled.token;
      for (const TokenProbability& each : sampled.top) ASSERT_TRUE(known.contains(each.token)) << each.token;
      const int64_t tokens = known.limit - std::ssize(known.holes);
      EXPECT_EQ(std::ssize(sampled.top), std::min<int64_t>(tokens, test.options.top_log_probabilities));
      // They keep their share of the model's own distribution, which is the trainer's.
      EXPECT_EQ(sampled.chosen->log_probability,
                log_softmax(kernels::select_kernels(), test.logits)(test.logits[sampled.token]));
    }
  }
  EXPECT_GT(drawn, 4000);
  EXPECT_GT(refused, 20);
}

TEST(SamplingTest, RowsBehindTheLimitChangeNothing) {
  int64_t compared = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Case test = random_case(seed);
    test.options.seed = seed;
    Case padded = test;
    padded.logits.resize(test.logits.size() + 1 + seed % 70, 40.0F);
    if (!test.allowed.empty()) padded.allowed.assign((padded.logits.size() + 63) / 64, ~uint64_t{0});
    for (size_t word = 0; word < test.allowed.size(); ++word) padded.allowed[word] = test.allowed[word];
    Sampler plain(kernels::select_kernels());
    Sampler limited(kernels::select_kernels(), {std::ssize(test.logits)});
    for (int64_t position = 0; position < 5; ++position, ++compared) {
      ASSERT_EQ(sample(limited, padded, position), sample(plain, test, position)) << "case " << seed;
    }
  }
  EXPECT_EQ(compared, 2500);
}

TEST(SamplingTest, RefusesLogitsThatAreNoNumbers) {
  Sampler sampler(kernels::select_kernels());
  for (float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (int64_t place : {0, 77, 99}) {
      Case test;
      test.logits.assign(100, 1);
      test.logits[place] = wrong;
      try {
        sample(sampler, test, 1234);
        FAIL() << "sampled from " << wrong;
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("position 1234"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("token " + std::to_string(place)), std::string::npos);
      }
    }
  }
}

TEST(SamplingTest, RefusesWhenNothingIsAllowed) {
  Sampler sampler(kernels::select_kernels());
  Case test;
  test.logits.assign(70, 1);
  test.allowed = {0, 0};
  EXPECT_THROW(sample(sampler, test, 0), Error);
  test.allowed = {1};  // too short
  EXPECT_THROW(sample(sampler, test, 0), Error);
}

TEST(SamplingTest, NamesTheBadOption) {
  const auto message = [](const SamplingOptions& options) -> std::string {
    try {
      validate(options, 100);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message({}), "accepted");
  SamplingOptions options;
  options.top_p = 1.5F;
  EXPECT_EQ(message(options), "top-p: expected 0 to 1, found 1.5");
  options = {};
  options.temperature = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message(options), "temperature: expected 0 to 100, found nan");
  options = {};
  options.logit_bias = {{100, 1.0F}};
  EXPECT_EQ(message(options), "logit bias: token: expected 0 to 99, found 100");
  options = {};
  options.sampled_log_probability = true;
  options.temperature = 0;
  EXPECT_EQ(message(options), "accepted");
  options.temperature = 1e-4F;
  EXPECT_EQ(message(options),
            "temperature with sampled log-probability: expected 0.001 to 100, found "
            "9.999999747378752e-05");
}

}  // namespace
}  // namespace r1
