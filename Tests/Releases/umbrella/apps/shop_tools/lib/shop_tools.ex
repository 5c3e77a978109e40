defmodule ShopTools do
  @moduledoc false
end
