# SPDX-License-Identifier: Apache-2.0
# view.jq - the demo's view: rows of the state bus in (each with its table's name), at most 23 lines of
# at most 79 columns out. Called by env/demo with --arg title, prefix, and -s (all rows in one array).

def rows($t): map(select(.table == $t));
def bare: if $prefix != "" and startswith($prefix) then .[($prefix | length):] else . end;
def pad($n): tostring | if length > $n then .[:$n] else . + " " * ($n - length) end;
def lpad($n): tostring | if length < $n then " " * ($n - length) + . else . end;
def human: if . >= 1e6 then "\(. / 1e5 | floor / 10)M" elif . >= 1e4 then "\(. / 1e3 | floor)k" else tostring end;
def us: if . <= 0 then "-" elif . >= 1e7 then "\(. / 1e6 | floor)ms" else "\(. / 1e3 | floor)us" end;
def columns($n; $width): [range(0; length; $n) as $i | .[$i:$i + $n] | map(pad($width - 1) + " ") | add];
def fitted: (map(length) | max // 0 | . + 2) as $width | columns([69 / $width | floor, 1] | max; $width);
# Capture points by switch: s1-eth1>s1-eth3>s2-eth1 is s1:1,3>s2:1
def way: split(">") | map(capture("^(?<switch>.*)-eth(?<port>[0-9]+)$") // {switch: ., port: ""})
    | reduce .[] as $p ([]; if .[-1].switch == $p.switch then .[-1].ports += [$p.port] else . + [{switch: $p.switch, ports: [$p.port]}] end)
    | map(.switch + if .ports == [""] then "" else ":" + (.ports | join(",")) end) | join(">");
def count_of($r): map(select(.result == $r)) | length;

(rows("switch") | map({key: .dpid, value: (.name | bare)}) | from_entries) as $name
| (rows("host") | map(select(.ip != "") | {key: .ip, value: ("h" + (.ip | split(".")[-1]))}) | from_entries) as $host
| (rows("verdict")) as $verdicts
| [
    $title,
    ("services  " + (rows("service") | map("\(.service | sub("agent." + $prefix; "agent.")) \(.state)") | group_by(.)
        | map(.[0]) | (map(select(startswith("agent") | not)) + ["\(map(select(startswith("agent"))) | length) agents"]) | join(" · "))),
    ("switches  " + (rows("switch") | map("\(.name | bare) \(.state), \(.n_ports)p") | join(" · "))),
    (rows("link") | map("\($name[.dpid_a] // "?"):\(.port_a)-\($name[.dpid_b] // "?"):\(.port_b) \(.state)") | fitted
        | to_entries[] | (if .key == 0 then "links     " else "          " end) + .value),
    (rows("host") | sort_by(.ip) | map("\($host[.ip] // "?") \(.mac) at \($name[.dpid] // "?"):\(.port)") | columns(2; 34)[:3]
        | to_entries[] | (if .key == 0 then "hosts     " else "          " end) + .value),
    ("flows     " + ("between" | pad(21)) + ("packets" | lpad(7)) + "  " + ("verdict" | pad(9)) + "seen at switch:ports"),
    (rows("observed") | sort_by(-.last_ns) | sort_by(if .ip_proto == 6 then 0 elif .ip_proto == 1 then 1 else 2 end)[:7][]
        | ({"6": "tcp", "17": "udp", "1": "icmp"}[.ip_proto | tostring] // (.ip_proto | tostring) | pad(10))
          + ("\($host[.ip_a] // .ip_a)\(if .ip_proto == 1 then "" else ":\(.port_a)" end) \($host[.ip_b] // .ip_b)\(if .ip_proto == 1 then "" else ":\(.port_b)" end)" | pad(21))
          + (.packets_ab + .packets_ba | human | lpad(7)) + "  " + (.verdict | if . == "inconclusive" then "open" else . end | pad(9))
          + (.points | split(">") | map(bare) | join(">") | way)),
    ("latency   " + (rows("latency") | map(.peer | bare) | unique | map("to \(.)" | pad(15)) | add // "not measured yet")),
    ([rows("latency")[] | {from: (.owner[6:] | bare), to: (.peer | bare), w: .window_s, rtt: .rtt_p50_ns, sent, lost}]
        | group_by(.from)[] | . as $mine | ([$mine[].to, $mine[0].from] | unique) as $all
        | ("  " + ($mine[0].from | pad(8)))
          + ($all | map(. as $to | ($mine | map(select(.to == $to)) | max_by(.w)) as $l
              | if $l == null then "" else "\($l.rtt | us) \(if $l.sent > 0 then $l.lost * 100 / $l.sent | floor else 0 end)%" end | pad(15)) | add)),
    ("verdicts  pass/fail/open: " + ($verdicts | group_by(.check)
        | map("\(.[0].check) \(count_of("pass"))/\(count_of("fail"))/\(count_of("inconclusive"))") | join(" · "))),
    "          open: too few packets yet to say"
  ]
| .[] | .[:79]
