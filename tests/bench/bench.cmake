# SPDX-License-Identifier: Apache-2.0
# The benchmark of env/bench: load generator and canned responder. Built with the tests, run by hand.
if(TARGET openflow)
  add_executable(ofbench bench/ofbench.c bench/ofbench_switch.c)
  add_executable(ofcanned bench/ofcanned.c)
  target_link_libraries(ofbench PRIVATE openflow)
  target_link_libraries(ofcanned PRIVATE openflow)
endif()
