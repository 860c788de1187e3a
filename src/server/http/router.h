// Which function answers which path.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/http/response_sink.h"

namespace r1::server {

/// Answers a request through the sink, now or later. May throw ApiError or Error instead, as long as it has
/// not begun to answer.
using Handler = std::function<void(const HttpRequest& request, const std::shared_ptr<ResponseSink>& sink)>;

struct Route {
  std::string method;
  std::string path;  // ends with "*": everything below, which is given as HttpRequest::path_rest
  Handler handler;
  bool open = false;            // no key is needed
  bool quick = false;           // never waits: may run on the I/O thread
  bool while_draining = false;  // answered to the end of the server; quick routes are as well
};

/// Filled at the start, const afterwards.
class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }
  /// The best route: an exact path before a "*", a longer "*" before a shorter one. Null when no path fits;
  /// `allowed` then lists the methods of the path, if there are any.
  const Route* find(const std::string& method, const std::string& path, std::string& rest,
                    std::string& allowed) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace r1::server
