"""Small HTTP programs that pods of the tests run: real processes with the usual paths and faults on demand."""

SERVER = """
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATE = {"ready": True, "hung": False}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if STATE["hung"]:
            time.sleep(600)
        path, status = self.path, 200
        body = {"version": os.environ.get("VERSION", ""), "pod": os.environ.get("HOSTNAME")}
        if path == "/readyz":
            status = 200 if STATE["ready"] else 503
        elif path == "/environment":
            body = dict(os.environ)
        elif path == "/where":
            body = {"folder": os.getcwd(), "arguments": sys.argv[1:]}
        elif path.startswith("/slow"):
            time.sleep(float(path.rpartition("/")[2]))
        elif path == "/unready":
            STATE["ready"] = False
        elif path == "/hang":
            STATE["hung"] = True
        elif path == "/crash":
            print("a screw is loose", flush=True)
            os._exit(3)
        elif path.startswith("/file"):
            body = open(path.removeprefix("/file")).read()
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False


def drain(server):
    print("draining", flush=True)
    threading.Thread(target=server.shutdown).start()


if os.environ.get("BROKEN") == "start":
    print("I cannot start: no screws", flush=True)
    sys.exit(1)
STATE["ready"] = os.environ.get("BROKEN") != "ready"
time.sleep(float(os.environ.get("START_SECONDS", "0")))
server = Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))), Handler)
signal.signal(signal.SIGTERM, lambda *_: drain(server))
print("listening", flush=True)
server.serve_forever()
server.server_close()
print("drained", flush=True)
"""
