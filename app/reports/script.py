"""The script that draws charts in a browser: Vega, Vega-Lite and their embedding, as they come with the package."""

from functools import cache

import vl_convert


@cache
def script() -> str:
    """One classic script that sets `vegaEmbed` on the window; about 0.9 MB, built once a process in a few seconds.

    It can stand in a `<script>` element as it is: it holds no closing tag and leaves no other name behind.
    """
    return "(()=>{" + str(vl_convert.javascript_bundle(None)).replace("</script", "<\\/script") + "\n})();\n"
