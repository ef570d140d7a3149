#include "forwarder.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <deque>
#include <future>
#include <set>
#include <thread>

namespace galaxycache::soak {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t piece_bytes = 64 * 1024;

tcp::endpoint on_loopback(std::uint16_t port) {
  return {asio::ip::address_v4::loopback(), port};
}

/// A connection through a link: two sockets and what is on its way between
/// them, at most one piece each way.
class tunnel : public std::enable_shared_from_this<tunnel> {
public:
  tunnel(tcp::socket near, std::shared_ptr<const bool> held)
    : near_(std::move(near)),
      far_(near_.get_executor()),
      held_(std::move(held)) {
    // nop
  }

  void begin(std::uint16_t port) {
    far_.async_connect(on_loopback(port),
                       [self = shared_from_this()](error_code wrong) {
                         if (wrong)
                           return self->end();
                         self->carry(self->there_);
                         self->carry(self->back_);
                       });
  }

  void end() {
    for (auto* s : {&near_, &far_}) {
      error_code ignored;
      s->set_option(asio::socket_base::linger{true, 0}, ignored);
      s->close(ignored);
    }
    over_ = true;
  }

  bool is_over() const {
    return over_;
  }

  /// The link holds nothing back any more.
  void resume() {
    for (auto* way : {&there_, &back_})
      if (std::exchange(way->waits, false))
        pass_on(*way);
  }

private:
  struct direction {
    tcp::socket& from;
    tcp::socket& to;
    std::array<char, piece_bytes> piece{};
    std::size_t size = 0;
    bool waits = false; // with a piece, for the link to be mended
  };

  void carry(direction& way) {
    way.from.async_read_some(asio::buffer(way.piece),
                             [self = shared_from_this(), &way](error_code wrong,
                                                               std::size_t n) {
                               if (wrong)
                                 return self->end();
                               way.size = n;
                               if (*self->held_)
                                 way.waits = true;
                               else
                                 self->pass_on(way);
                             });
  }

  void pass_on(direction& way) {
    asio::async_write(way.to, asio::buffer(way.piece.data(), way.size),
                      [self = shared_from_this(), &way](error_code wrong,
                                                        std::size_t) {
                        if (wrong)
                          return self->end();
                        self->carry(way);
                      });
  }

  tcp::socket near_;
  tcp::socket far_;
  std::shared_ptr<const bool> held_;
  bool over_ = false;
  direction there_{near_, far_};
  direction back_{far_, near_};
};

} // namespace

struct forwarder::implementation {
  struct entry {
    entry(asio::io_context& io) : door(io, on_loopback(0)) {
      // nop
    }

    tcp::acceptor door;
    std::uint16_t target = 0;
    bool is_cut = false;
    std::shared_ptr<bool> held = std::make_shared<bool>(false);
    std::set<std::shared_ptr<tunnel>> tunnels;
  };

  void welcome(entry& x) {
    x.door.async_accept([this, &x](error_code wrong, tcp::socket who) {
      if (wrong)
        return;
      std::erase_if(x.tunnels, [](auto& each) { return each->is_over(); });
      auto made = std::make_shared<tunnel>(std::move(who), x.held);
      if (x.is_cut || x.target == 0) {
        made->end();
      } else {
        x.tunnels.insert(made);
        made->begin(x.target);
      }
      welcome(x);
    });
  }

  /// Runs on the forwarder's thread, and waits until it has.
  template <class F>
  void run(F f) {
    std::packaged_task<void()> task{std::move(f)};
    auto done = task.get_future();
    asio::post(io, [&task] { task(); });
    done.get();
  }

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> busy{
    io.get_executor()};
  std::deque<entry> links; // of the forwarder's thread
  std::thread thread{[this] { io.run(); }};
};

forwarder::forwarder() : impl_(std::make_unique<implementation>()) {
  // nop
}

forwarder::~forwarder() {
  impl_->io.stop();
  impl_->thread.join();
}

forwarder::link forwarder::open() {
  link result = 0;
  impl_->run([&] {
    result = impl_->links.size();
    impl_->welcome(impl_->links.emplace_back(impl_->io));
  });
  return result;
}

std::uint16_t forwarder::port_of(link which) const {
  std::uint16_t result = 0;
  impl_->run(
    [&] { result = impl_->links.at(which).door.local_endpoint().port(); });
  return result;
}

void forwarder::aim(link which, std::uint16_t port) {
  impl_->run([&] { impl_->links.at(which).target = port; });
}

void forwarder::cut(link which) {
  impl_->run([&] {
    auto& x = impl_->links.at(which);
    x.is_cut = true;
    for (auto& each : x.tunnels)
      each->end();
    x.tunnels.clear();
  });
}

void forwarder::hold(link which) {
  impl_->run([&] { *impl_->links.at(which).held = true; });
}

void forwarder::mend(link which) {
  impl_->run([&] {
    auto& x = impl_->links.at(which);
    x.is_cut = false;
    *x.held = false;
    for (auto& each : x.tunnels)
      each->resume();
  });
}

} // namespace galaxycache::soak
