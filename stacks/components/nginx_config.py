"""The file that nginx runs by: least connections, one more try, a canary's share, and no text in any log."""

from collections.abc import Sequence
from dataclasses import dataclass

from stacks.components.arguments import matching, refuse, within

PORT = 8080
OWN_HEALTH = "/nginx-health"
BACKEND_HEALTH = "/healthz/backend"
ADDRESS_HEADER = "x-source-ip"


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Pods that requests go to.

    Attributes:
        name: The variant's, as `stable`; callers see it in X-Variant.
        host: The name that leads to every pod that is ready.
        port: Where they listen.
    """

    name: str
    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class NginxArgs:
    """What nginx needs to know.

    Attributes:
        stable: Where requests go.
        canary: Where a share of them goes instead.
        canary_percent: That share, 1 to 50.
        readiness_path: Of the service: answers 200 while it can serve.
        routes: What the service serves; any other path is called `other` in the log, since callers write it.
        inside: Paths that are answered 404 to callers.
        resolver: Where names are resolved.
        trusted: Addresses of the load balancer, whose word on who calls is taken.
        body_mb: Of a request at most.
        rate: Requests a second of one address, sustained.
        burst: Requests at once of one address.
        timeout_seconds: What an answer may take.
        workers: Processes; as many as CPUs.
    """

    stable: Upstream
    readiness_path: str
    routes: Sequence[str]
    resolver: str
    trusted: Sequence[str]
    rate: int
    burst: int
    canary: Upstream | None = None
    canary_percent: int = 0
    inside: Sequence[str] = ("/metrics",)
    body_mb: int = 8
    timeout_seconds: int = 28
    workers: int = 1

    def __post_init__(self) -> None:
        refuse(
            "NginxArgs",
            within("canary_percent", self.canary_percent, 1, 50, "percent") if self.canary else [],
            within("body_mb", self.body_mb, 1, 10, "MB"),
            within("rate", self.rate, 1, 100_000, "a second"),
            within("burst", self.burst, 1, 100_000),
            within("timeout_seconds", self.timeout_seconds, 1, 60, "seconds"),
            within("workers", self.workers, 1, 64),
            matching("resolver", self.resolver, r"[\w.:-]+", "an address or a name"),
            [] if self.trusted else ["trusted is empty: every caller would be the load balancer"],
            *[
                matching("a path", path, r"/[\w/.-]*", "a path such as /predict")
                for path in (*self.routes, *self.inside, self.readiness_path)
            ],
        )


def nginx_config(args: NginxArgs) -> str:
    """The whole file."""
    return _FILE.format(
        workers=args.workers,
        port=PORT,
        body=args.body_mb,
        trusted="\n".join(f"  set_real_ip_from {network};" for network in args.trusted),
        header=ADDRESS_HEADER,
        resolver=args.resolver,
        routes="\n".join(f"    {path} {path};" for path in args.routes),
        upstreams="\n".join(_upstream(each) for each in (args.stable, args.canary) if each),
        variant=_variant(args),
        rate=args.rate,
        burst=args.burst,
        timeout=args.timeout_seconds,
        stable=args.stable.name,
        readiness=args.readiness_path,
        inside="\n".join(f"    location ^~ {path} {{ return 404; }}" for path in args.inside),
        own_health=OWN_HEALTH,
        backend_health=BACKEND_HEALTH,
        problems="\n".join(_problem(*each) for each in _PROBLEMS),
        pages=_pages("    "),
        pages_but_502=_pages("      ", but=502),
    )


def _upstream(upstream: Upstream) -> str:
    return f"""  upstream {upstream.name} {{
    zone {upstream.name} 128k;
    least_conn;
    # No `max_fails`: a busy pod's 503 would count as a failure, and all pods busy would be no pods at all.
    server {upstream.host}:{upstream.port} resolve max_fails=0;
    keepalive 64;
    keepalive_requests 10000;
    keepalive_timeout 30s;
  }}"""


def _variant(args: NginxArgs) -> str:
    """The map of who calls to where it goes: the same caller always to the same."""
    if args.canary is None:
        return f"  map $caller $variant {{\n    default {args.stable.name};\n  }}"
    return f"""  split_clients $caller $variant {{
    {args.canary_percent}% {args.canary.name};
    * {args.stable.name};
  }}"""


_PROBLEMS = (
    (404, "Not Found", "There is nothing here.", None),
    (413, "Content Too Large", "Send less text at once.", None),
    (429, "Too Many Requests", "Too many requests from this address; wait.", 1),
    (502, "Bad Gateway", "No instance answered; try again.", 1),
    (504, "Gateway Timeout", "The answer took too long; try again.", 1),
)
"""What nginx itself says: status, title, what to do, and after how many seconds."""


def _pages(indent: str, *, but: int | None = None) -> str:
    """Which answer goes with which status; a location that says one of its own inherits none of the others."""
    return "\n".join(f"{indent}error_page {status} @problem-{status};" for status, *_ in _PROBLEMS if status != but)


def _problem(status: int, title: str, detail: str, retry_seconds: int | None) -> str:
    retry = f"\n      add_header Retry-After {retry_seconds} always;" if retry_seconds else ""
    body = f'{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}'
    return f"""    location @problem-{status} {{
      internal;
      default_type application/problem+json;
      add_header X-Request-ID $correlation always;{retry}
      return {status} '{body}';
    }}"""


_FILE = """# Made by stacks/components/nginx_config.py.
worker_processes {workers};
worker_shutdown_timeout {timeout}s;
pid /tmp/nginx.pid;
# Below `crit` nginx writes the request line, and with it what a caller put into the address.
error_log /dev/stderr crit;

events {{
  worker_connections 4096;
}}

http {{
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;

  server_tokens off;
  default_type application/json;

  # Who calls: said by the HTTP API through the load balancer, and believed of nobody else.
{trusted}
  real_ip_header {header};
  map $http_authorization $bearer {{
    default $remote_addr;
    "~^[Bb]earer ." $http_authorization;
  }}
  map $http_x_api_key $caller {{
    default $http_x_api_key;
    "" $bearer;
  }}
{variant}

  # What is logged: never what callers write. A path, a method or an id of another form is called `other` or made anew.
  map $uri $route {{
    default other;
{routes}
  }}
  map $request_method $method {{
    default other;
    ~^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$ $request_method;
  }}
  map $http_x_request_id $correlation {{
    default $request_id;
    "~^[A-Za-z0-9._-]{{1,64}}$" $http_x_request_id;
  }}
  map $http_traceparent $trace {{
    default "";
    "~^[0-9a-f]{{2}}-[0-9a-f]{{32}}-[0-9a-f]{{16}}-[0-9a-f]{{2}}$" $http_traceparent;
  }}
  log_format json escape=json '{{"time":"$time_iso8601","logger":"nginx","request_id":"$correlation",'
    '"traceparent":"$trace","method":"$method","route":"$route","status":$status,"bytes":$bytes_sent,'
    '"duration":$request_time,"variant":"$variant","upstream":"$upstream_addr",'
    '"upstream_status":"$upstream_status","upstream_duration":"$upstream_response_time"}}';
  access_log /dev/stdout json;

  # What one request and one connection may take.
  client_max_body_size {body}m;
  # In memory up to that size: what people write touches no disk.
  client_body_buffer_size {body}m;
  client_header_buffer_size 4k;
  large_client_header_buffers 4 8k;
  client_header_timeout 10s;
  client_body_timeout 15s;
  send_timeout 30s;
  # Longer than the load balancer's connections idle, so that it is never nginx that closes one in use.
  keepalive_timeout 400s;
  keepalive_requests 10000;
  reset_timedout_connection on;
  limit_req_zone $binary_remote_addr zone=callers:10m rate={rate}r/s;
  limit_req_status 429;

  gzip on;
  gzip_types application/json application/problem+json;
  gzip_min_length 1024;
  gzip_proxied any;
  gzip_vary on;

  resolver {resolver} valid=5s ipv6=off;
  resolver_timeout 2s;
{upstreams}

  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Request-ID $correlation;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto https;
  proxy_set_header {header} "";
  proxy_connect_timeout 1s;
  proxy_send_timeout 10s;
  proxy_read_timeout {timeout}s;
  proxy_buffers 16 16k;
  proxy_busy_buffers_size 64k;
  # An answer that does not fit waits in its pod, not on a disk.
  proxy_max_temp_file_size 0;
  # One more try elsewhere. A prediction changes nothing, so POST may be sent twice.
  proxy_next_upstream error timeout http_502 http_503 non_idempotent;
  proxy_next_upstream_tries 2;
  proxy_next_upstream_timeout 5s;

  server {{
    listen {port};
    server_name _;

    # The second try's failure has a page of its own, too.
    recursive_error_pages on;
{pages}
{problems}

    location = {own_health} {{
      access_log off;
      return 200 '{{"status":"ok"}}';
    }}
    # For the load balancer: not only nginx, but a pod behind it that is ready.
    location = {backend_health} {{
      access_log off;
      proxy_pass http://{stable}{readiness};
    }}
{inside}

    location / {{
      limit_req zone=callers burst={burst} nodelay;
      # A canary that does not answer at all costs nobody a request.
      error_page 502 = @stable;
{pages_but_502}
      add_header X-Variant $variant always;
      proxy_pass http://$variant;
    }}
    location @stable {{
      add_header X-Variant {stable} always;
      proxy_pass http://{stable};
    }}
  }}
}}
"""
