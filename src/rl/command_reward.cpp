#include "rl/command_reward.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace r1::rl {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kBytesOfLine = 4096;  // of output, for each answer: more is not read

/// A program in a process group of its own, with pipes to its standard input and from its standard output.
class Child {
 public:
  explicit Child(const std::string& command) {
    std::array<int, 2> in{}, out{};
    if (pipe2(in.data(), O_CLOEXEC) != 0) fail("pipe");
    if (pipe2(out.data(), O_CLOEXEC) != 0) {
      close(in[0]), close(in[1]);
      fail("pipe");
    }
    process_ = fork();
    if (process_ == 0) {
      setpgid(0, 0);
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    close(in[0]), close(out[1]);
    to_ = in[1], from_ = out[0];
    if (process_ < 0) {
      close_pipes();
      fail("fork");
    }
    setpgid(process_, process_);  // whoever comes first
    fcntl(to_, F_SETFL, O_NONBLOCK);
    fcntl(from_, F_SETFL, O_NONBLOCK);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    close_pipes();
    if (process_ > 0) end();
  }

  /// Writes the input and reads output until the program closes it, `limit` bytes are there, or the deadline is over.
  /// False: the deadline was over.
  bool exchange(const std::string& input, Clock::time_point deadline, size_t limit, std::string& output) {
    size_t written = 0;
    while (from_ >= 0) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return false;
      std::array<pollfd, 2> waited{pollfd{from_, POLLIN, 0}, pollfd{to_, POLLOUT, 0}};
      const int ready =
          poll(waited.data(), to_ >= 0 ? 2 : 1, static_cast<int>(std::min<int64_t>(left, 1000)));
      if (ready < 0 && errno != EINTR) fail("poll");
      if (ready <= 0) continue;
      if (to_ >= 0 && waited[1].revents != 0) write_some(input, written);
      if (waited[0].revents != 0 && !read_some(limit, output)) close(std::exchange(from_, -1));
    }
    return true;
  }

  /// Ends the whole group, and gives the program's status as waitpid() has it.
  int end() {
    kill(-process_, SIGKILL);
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    return status;
  }

  /// The status of a program that ends by itself before the deadline; otherwise as end().
  int wait(Clock::time_point deadline) {
    int status = 0;
    while (Clock::now() < deadline) {
      const pid_t ended = waitpid(process_, &status, WNOHANG);
      if (ended == process_) {
        kill(-process_, SIGKILL);  // what it left behind
        process_ = -1;
        return status;
      }
      usleep(1000);
    }
    return end();
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    throw_error(ErrorKind::io, "reward command: {}: {}", what, std::strerror(errno));
  }

  void write_some(const std::string& input, size_t& written) {
    const ssize_t count = write(to_, input.data() + written, input.size() - written);
    if (count > 0) written += static_cast<size_t>(count);
    const bool failed = count < 0 && errno != EAGAIN && errno != EINTR;  // EPIPE: it does not read all
    if (failed || written == input.size()) close(std::exchange(to_, -1));
  }

  bool read_some(size_t limit, std::string& output) {
    std::array<char, 65536> buffer{};
    const ssize_t count = read(from_, buffer.data(), buffer.size());
    if (count > 0) output.append(buffer.data(), static_cast<size_t>(count));
    return (count > 0 && output.size() < limit) || (count < 0 && (errno == EAGAIN || errno == EINTR));
  }

  void close_pipes() {
    for (int* end : {&to_, &from_}) {
      if (*end >= 0) close(std::exchange(*end, -1));
    }
  }

  pid_t process_ = -1;
  int to_ = -1, from_ = -1;
};

/// Writing to a program that has ended must not end this one.
class IgnorePipeSignal {
 public:
  IgnorePipeSignal() { before_ = signal(SIGPIPE, SIG_IGN); }
  ~IgnorePipeSignal() { signal(SIGPIPE, before_); }
  IgnorePipeSignal(const IgnorePipeSignal&) = delete;
  IgnorePipeSignal& operator=(const IgnorePipeSignal&) = delete;

 private:
  void (*before_)(int);
};

std::string input_lines(std::span<const Answer> answers) {
  std::string lines;
  int64_t id = 0;
  for (const Answer& answer : answers) {
    const nlohmann::ordered_json line = {{"id", id++},
                                         {"question", answer.question->text},
                                         {"expected", answer.question->expected},
                                         {"reasoning", answer.reasoning},
                                         {"answer", answer.answer},
                                         {"output", answer.output},
                                         {"finished", answer.finished},
                                         {"record", *answer.question->fields}};
    lines += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  return lines;
}

struct Reading {
  int64_t unreadable = 0;     // lines
  std::string first_problem;  // of such a line
};

Reading read_rewards(const std::string& output, std::vector<double>& rewards) {
  Reading reading;
  const auto problem = [&](std::string text) {
    if (reading.unreadable++ == 0) reading.first_problem = std::move(text);
  };
  for (size_t first = 0; first < output.size();) {
    const size_t end = std::min(output.find('\n', first), output.size());
    const std::string_view text = std::string_view(output).substr(first, end - first);
    first = end + 1;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, false);
    const auto field = [&](const char* name) {
      return line.is_object() && line.contains(name) && line[name].is_number();
    };
    if (!field("id") || !field("reward") || !line["id"].is_number_integer()) {
      problem(fmt::format("expected {{\"id\": number, \"reward\": number}}, found '{}'", text.substr(0, 80)));
      continue;
    }
    const auto id = line["id"].get<int64_t>();
    const auto reward = line["reward"].get<double>();
    if (id < 0 || id >= std::ssize(rewards)) {
      problem(fmt::format("id: expected 0 to {}, found {}", rewards.size() - 1, id));
    } else if (!std::isfinite(reward)) {
      problem(fmt::format("id {}: expected a finite reward", id));
    } else {
      rewards[static_cast<size_t>(id)] = reward;
    }
  }
  return reading;
}

class CommandReward final : public Reward {
 public:
  CommandReward(std::string command, double seconds, std::function<void(const std::string&)> remark)
      : command_(std::move(command)), seconds_(seconds), remark_(std::move(remark)) {
    if (command_.empty()) throw_error(ErrorKind::invalid_argument, "rewards: command: expected a program");
  }

  std::vector<double> score(std::span<const Answer> answers) override {
    std::vector<double> rewards(answers.size(), kNoReward);
    if (answers.empty()) return rewards;
    const auto deadline = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(seconds_ * 1000));
    const IgnorePipeSignal guard;
    Child child(command_);
    std::string output;
    const bool in_time =
        child.exchange(input_lines(answers), deadline, kBytesOfLine * answers.size(), output);
    const int status = in_time ? child.wait(deadline) : child.end();
    if (!in_time)
      output.resize(output.rfind('\n') == std::string::npos ? 0 : output.rfind('\n') + 1);  // whole lines
    const Reading reading = read_rewards(output, rewards);
    const auto missing = std::ranges::count_if(rewards, [](double reward) { return std::isnan(reward); });
    if (missing > 0 && remark_) {
      remark_(fmt::format("reward command '{}': {} of {} answers have no reward: {}", command_, missing,
                          rewards.size(), reason(in_time, status, reading)));
    }
    return rewards;
  }

 private:
  std::string reason(bool in_time, int status, const Reading& reading) const {
    if (!in_time) return fmt::format("ended after {} s (reward_seconds)", seconds_);
    if (WIFSIGNALED(status)) return fmt::format("it was ended by signal {}", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0) return fmt::format("it exited with {}", WEXITSTATUS(status));
    if (reading.unreadable > 0) return reading.first_problem;
    return "it wrote no line for them";
  }

  std::string command_;
  double seconds_;
  std::function<void(const std::string&)> remark_;
};

}  // namespace

std::unique_ptr<Reward> make_command_reward(std::string command, double seconds,
                                            std::function<void(const std::string&)> remark) {
  return std::make_unique<CommandReward>(std::move(command), seconds, std::move(remark));
}

}  // namespace r1::rl
