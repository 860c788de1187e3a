// What handlers share.
#pragma once

#include <atomic>
#include <string>

#include "server/access/authenticator.h"
#include "server/access/rate_limiter.h"
#include "server/models/job_registry.h"
#include "server/models/metrics.h"
#include "server/models/model_host.h"

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
