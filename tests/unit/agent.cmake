# SPDX-License-Identifier: Apache-2.0
foreach(test agent_stamp agent_beacon agent_histogram agent_session agent_reflector)
  trivet_unit_test(${test} SOURCES unit/${test}.c LIBS agent-core)
endforeach()
