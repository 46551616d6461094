# SPDX-License-Identifier: Apache-2.0
# The benchmark of env/bench: load generator and canned responder. Built with the tests, run by hand.
if(TARGET openflow)
  foreach(program ofbench ofcanned)
    add_executable(${program} bench/${program}.c)
    target_link_libraries(${program} PRIVATE openflow)
  endforeach()
endif()
