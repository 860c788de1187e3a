// What handlers share.
#pragma once

#include <atomic>
#include <string>

#include "server/authenticator.h"
#include "server/job_registry.h"
#include "server/metrics.h"
#include "server/model_host.h"
#include "server/rate_limiter.h"

namespace r1::server {

struct ServerContext {
  ModelHost& models;
  Metrics& metrics;
  JobRegistry& jobs;
  Authenticator& authenticator;
  RateLimiter& limiter;
  std::atomic<bool>& draining;
  std::string version;
};

/// Comment that keeps an idle stream open.
inline constexpr const char* kHeartbeat = ": heartbeat\n\n";

}  // namespace r1::server
